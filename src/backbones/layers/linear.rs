//! Dense layers.

use candle_core::{DType, Tensor};

#[cfg(feature = "cuda")]
use super::cuda::elements;
use super::{Activation, Derived, Dropout, gradients, kernels_hold, matrix, with_values};
use crate::checkpoint::Weights;
use crate::checkpoint::learning::Adapter;
use crate::checkpoint::weights::Products;
use crate::error::{Error, Result};
use crate::kernels::{self, PackedMatrix};

/// `y = x W^T + b`.
pub struct Linear {
    inputs: usize,
    outputs: usize,
    /// Of the product, before a residual is added.
    dropout: Dropout,
    way: Way,
}

/// What a layer on the kernels makes of its products.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// They are the outputs.
    Plain,
    /// Each output is of two: see [`super::GatedLinear`]. On tensors they stay what they are.
    Gated,
}

enum Way {
    Kernels { weight: PackedMatrix, bias: Option<Vec<f32>> },
    Tensors(Tensors),
}

/// A layer on tensors.
struct Tensors {
    /// `(outputs, inputs)`.
    weight: Derived,
    bias: Option<Derived>,
    /// Of each of the joined layers; all of them have one, or none has.
    adapters: Vec<(Adapter, Dropout)>,
}

/// Names of one layer's tensors; its biases are added up.
struct Part {
    weights: Weights,
    weight: String,
    biases: Vec<String>,
}

impl Linear {
    /// Loads `weight` `(outputs, inputs)` and, where these weights have biases, `bias`.
    ///
    /// # Errors
    /// A missing tensor or one of another shape.
    pub fn load(weights: &Weights, inputs: usize, outputs: usize) -> Result<Self> {
        Self::load_joined(weights, &[], inputs, outputs)
    }

    /// Loads several layers over the same input as one, their outputs side by side.
    ///
    /// # Errors
    /// A missing tensor or one of another shape.
    pub fn load_joined(weights: &Weights, names: &[&str], inputs: usize, outputs: usize) -> Result<Self> {
        Self::load_form(weights, names, inputs, outputs, Form::Plain)
    }

    pub(super) fn load_form(
        weights: &Weights,
        names: &[&str],
        inputs: usize,
        outputs: usize,
        form: Form,
    ) -> Result<Self> {
        let part = |weights: Weights| {
            let biases = if weights.has_bias() { vec!["bias".into()] } else { Vec::new() };
            Part { weights, weight: "weight".into(), biases }
        };
        let parts: Vec<Part> = match names {
            [] => vec![part(weights.clone())],
            names => names.iter().map(|name| part(weights.at(name))).collect(),
        };
        Self::load_parts(weights, parts, inputs, outputs, form)
    }

    /// Loads a layer by the full names of its weight and of its biases, which are added up.
    ///
    /// # Errors
    /// A missing tensor or one of another shape.
    pub fn load_named(weights: &Weights, weight: &str, biases: &[&str], inputs: usize, outputs: usize) -> Result<Self> {
        let biases = biases.iter().map(ToString::to_string).collect();
        let part = Part { weights: weights.clone(), weight: weight.into(), biases };
        Self::load_parts(weights, vec![part], inputs, outputs, Form::Plain)
    }

    fn load_parts(weights: &Weights, parts: Vec<Part>, inputs: usize, outputs: usize, form: Form) -> Result<Self> {
        let with_bias = !parts[0].biases.is_empty();
        let joined = parts.len() * outputs;
        if !kernels_hold(weights) {
            let way = Self::tensors(weights, &parts, inputs, outputs, with_bias)?;
            return Ok(Self { inputs, outputs: joined, dropout: Dropout::default(), way: Way::Tensors(way) });
        }
        let mut weight = Vec::new();
        let mut bias = Vec::new();
        for part in &parts {
            let values = part.weights.vec(&part.weight, &[outputs, inputs])?;
            if weight.is_empty() {
                weight = values;
            } else {
                weight.extend(values);
            }
            let first = bias.len();
            bias.resize(if with_bias { first + outputs } else { 0 }, 0.0);
            for name in &part.biases {
                let values = part.weights.vec(name, &[outputs])?;
                bias[first..].iter_mut().zip(values).for_each(|(x, y)| *x += y);
            }
        }
        let (outputs, weight) = match form {
            Form::Plain => {
                let precision = precision_of(weights, inputs, joined);
                (joined, PackedMatrix::new(&weight, joined, inputs, precision))
            }
            Form::Gated => {
                bias = PackedMatrix::bias_of_gated(&bias);
                let precision = precision_of(weights, inputs, joined / 2);
                (joined / 2, PackedMatrix::gated(&weight, joined / 2, inputs, precision))
            }
        };
        let way = Way::Kernels { weight, bias: with_bias.then_some(bias) };
        Ok(Self { inputs, outputs, dropout: Dropout::default(), way })
    }

    /// Whether the outputs are those of [`Form::Gated`].
    pub(super) fn is_gated(&self) -> bool {
        matches!(&self.way, Way::Kernels { weight, .. } if weight.is_gated())
    }

    /// The same, where a share of the product is left out while the model learns, before a residual is added.
    pub fn dropping(self, dropout: Dropout) -> Self {
        Self { dropout, ..self }
    }

    fn tensors(weights: &Weights, parts: &[Part], inputs: usize, outputs: usize, with_bias: bool) -> Result<Tensors> {
        let load = |part: &Part| part.weights.tensor(&part.weight, &[outputs, inputs]);
        let matrices = parts.iter().map(load).collect::<Result<Vec<_>>>()?;
        let load = |part: &Part| part.biases.iter().map(|name| part.weights.tensor(name, &[outputs])).collect();
        let biases = parts.iter().map(load).collect::<Result<Vec<Vec<_>>>>()?;
        let sum = |terms: &Vec<Tensor>| {
            let (first, rest) = terms.split_first().expect("a layer with a bias has one: this is a bug");
            Ok(rest.iter().try_fold(first.clone(), |sum, term| sum + term)?)
        };
        let bias = move || Ok(Tensor::cat(&biases.iter().map(sum).collect::<Result<Vec<_>>>()?, 0)?);
        let adapter = |part: &Part| {
            let adapter = part.weights.adapter(&part.weight, [outputs, inputs]).transpose()?;
            Some(adapter.map(|adapter| (Dropout::new(weights, adapter.dropout), adapter)))
        };
        let adapters = parts.iter().filter_map(adapter).collect::<Result<Vec<_>>>()?;
        Ok(Tensors {
            weight: Derived::new(weights, move || Ok(Tensor::cat(&matrices, 0)?))?,
            bias: with_bias.then(|| Derived::new(weights, bias)).transpose()?,
            adapters: adapters.into_iter().map(|(dropout, adapter)| (adapter, dropout)).collect(),
        })
    }

    /// From values, for the kernels: `weight` `(outputs, inputs)` row by row, `bias` `(outputs)`.
    pub(super) fn new(weight: &[f32], bias: Vec<f32>, inputs: usize, outputs: usize, weights: &Weights) -> Self {
        let weight = PackedMatrix::new(weight, outputs, inputs, precision_of(weights, inputs, outputs));
        Self { inputs, outputs, dropout: Dropout::default(), way: Way::Kernels { weight, bias: Some(bias) } }
    }

    /// `x` `(rows, inputs)` to `(rows, outputs)`.
    ///
    /// # Errors
    /// `x` has another width.
    pub fn forward(&self, x: &Tensor, threads: usize) -> Result<Tensor> {
        self.run(x, kernels::Activation::None, None, threads)
    }

    /// The activation of the product.
    ///
    /// # Errors
    /// `x` has another width.
    pub fn forward_activated(&self, x: &Tensor, activation: Activation, threads: usize) -> Result<Tensor> {
        let y = self.run(x, activation.fused(), None, threads)?;
        match activation {
            Activation::Fused(_) => Ok(y),
            Activation::Plain(..) => activation.forward(&y),
        }
    }

    /// The product plus `residual` `(rows, outputs)`.
    ///
    /// # Errors
    /// `x` or `residual` has another shape.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor, threads: usize) -> Result<Tensor> {
        self.run(x, kernels::Activation::None, Some(residual), threads)
    }

    fn run(
        &self,
        x: &Tensor,
        activation: kernels::Activation,
        residual: Option<&Tensor>,
        threads: usize,
    ) -> Result<Tensor> {
        let (rows, inputs) = x.dims2()?;
        let outputs = self.outputs;
        if inputs != self.inputs || residual.is_some_and(|r| r.dims() != [rows, outputs]) {
            let message = format!("linear layer ({outputs}, {}): input {:?}", self.inputs, x.dims());
            return Err(Error::Compute(candle_core::Error::Msg(message)));
        }
        let (weight, bias) = match &self.way {
            Way::Kernels { weight, bias } => (weight, bias.as_deref()),
            Way::Tensors(layer) => {
                #[cfg(feature = "cuda")]
                if let Some(y) = layer.by_own_kernel(x, activation, residual, &self.dropout)? {
                    return Ok(y);
                }
                let y = layer.product(x, activation, threads)?;
                return match residual {
                    Some(residual) if gradients::take(&y) => Ok(gradients::add(&y, residual, self.dropout.mask())?),
                    Some(residual) => Ok((self.dropout.forward(&y)? + residual)?),
                    None => self.dropout.forward(&y),
                };
            }
        };
        let mut out = vec![0.0; rows * outputs];
        with_values(x, |x| match residual {
            None => {
                kernels::linear(x, rows, weight, bias, activation, None, &mut out, threads);
                Ok(())
            }
            Some(residual) => with_values(residual, |residual| {
                kernels::linear(x, rows, weight, bias, activation, Some(residual), &mut out, threads);
            }),
        })??;
        matrix(out, outputs)
    }
}

/// Layers with fewer inputs or outputs are multiplied in f32. All of a model that takes long are wider, and models of
/// narrow layers magnify rounding: of 400 random ones with up to 150 columns 81 had a logit that was further from the
/// reference's than a thousandth and a ten-thousandth of it, with f32 5.
const NARROW: usize = 256;

/// How exactly the kernels multiply in a dense layer of this shape.
fn precision_of(weights: &Weights, inputs: usize, outputs: usize) -> kernels::Precision {
    match precision(weights) {
        kernels::Precision::Split if inputs.min(outputs) < NARROW => kernels::Precision::F32,
        precision => precision,
    }
}

/// How exactly the kernels multiply.
pub(super) fn precision(weights: &Weights) -> kernels::Precision {
    match (weights.dtype(), weights.products()) {
        (DType::BF16, _) => kernels::Precision::Bf16,
        (_, Products::Exact) => kernels::Precision::F32,
        (_, Products::Fast) => kernels::Precision::Split,
        (_, Products::Bytes) => kernels::Precision::Int8,
    }
}

impl Tensors {
    /// `activation(x W^T + b)`, in the type of the weights.
    fn product(&self, x: &Tensor, activation: kernels::Activation, threads: usize) -> Result<Tensor> {
        let weight = self.weight.get()?;
        let x = x.to_dtype(weight.dtype())?;
        if gradients::take(&x) {
            let bias = self.bias.as_ref().map(Derived::get).transpose()?;
            // Adapters add to the product before its activation.
            let alone = if self.adapters.is_empty() { activation } else { kernels::Activation::None };
            let y = gradients::dense(&x, &weight, bias.as_ref(), alone, threads)?;
            if self.adapters.is_empty() {
                return Ok(y);
            }
            return Activation::Fused(activation).forward(&gradients::add(&self.adapted(&x)?, &y, None)?);
        }
        let mut y = x.matmul(&weight.t()?)?;
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(&bias.get()?)?;
        }
        if !self.adapters.is_empty() {
            y = (y + self.adapted(&x)?)?;
        }
        Activation::Fused(activation).forward(&y)
    }

    /// `activation(x W^T + b) + residual`, where the program has a kernel for what comes after the product.
    #[cfg(feature = "cuda")]
    fn by_own_kernel(
        &self,
        x: &Tensor,
        activation: kernels::Activation,
        residual: Option<&Tensor>,
        dropout: &Dropout,
    ) -> Result<Option<Tensor>> {
        let weight = self.weight.get()?;
        let learns = x.track_op() || !dropout.is_idle() || !self.adapters.is_empty();
        if learns || !elements::take(&weight) {
            return Ok(None);
        }
        let y = x.to_dtype(weight.dtype())?.matmul(&weight.t()?)?;
        let bias = self.bias.as_ref().map(Derived::get).transpose()?;
        let residual = residual.map(|residual| residual.to_dtype(y.dtype())?.contiguous()).transpose()?;
        elements::finish(&y, bias.as_ref(), activation, residual.as_ref())?;
        Ok(Some(y))
    }

    /// What the adapters of the joined layers add, side by side.
    fn adapted(&self, x: &Tensor) -> Result<Tensor> {
        let parts = self.adapters.iter().map(|(adapter, dropout)| -> Result<Tensor> {
            let narrow = dropout.forward(x)?.matmul(&adapter.down.t()?)?;
            Ok((narrow.matmul(&adapter.up.t()?)? * adapter.scale)?)
        });
        Ok(Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 1)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use candle_core::Device;

    use super::*;

    #[test]
    fn narrow_layers_are_multiplied_in_f32_unless_less_is_asked_for() {
        let weights = Weights::of(Path::new("made up"), BTreeMap::new());
        let of = |dtype, inputs, outputs| {
            let weights = weights.clone().on(Device::Cpu, dtype).for_encoder();
            precision_of(&weights, inputs, outputs)
        };
        assert_eq!(of(DType::F32, NARROW, NARROW), kernels::Precision::Split);
        assert_eq!(of(DType::F32, NARROW - 1, 1024), kernels::Precision::F32);
        assert_eq!(of(DType::F32, 1024, NARROW - 1), kernels::Precision::F32);
        assert_eq!(of(DType::BF16, 8, 8), kernels::Precision::Bf16);
    }
}
