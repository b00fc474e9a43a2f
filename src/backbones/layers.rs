//! The operations that backbones and heads are made of. This is the one place that decides how an
//! operation runs: today on the processor's kernels, which write every row with the same operations
//! in the same order whatever stands beside it.

use std::ops::Range;

use candle_core::{CpuStorage, Device, Storage, Tensor};

use super::Sequences;
use crate::checkpoint::Weights;
use crate::checkpoint::weights::Stored;
use crate::error::{Error, Result};
use crate::kernels::{self, AttentionShape, Bias, PackedMatrix, Rows};

/// Runs `f` on the values of a contiguous f32 tensor on the processor.
///
/// # Errors
/// The tensor is of another kind.
pub fn with_values<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => Ok(f(&values[start..end])),
        _ => Err(candle_core::Error::Msg("expected contiguous f32 values on the processor".into()).into()),
    }
}

/// A matrix `(values.len() / width, width)`.
///
/// # Errors
/// The values do not fill whole rows.
pub fn matrix(values: Vec<f32>, width: usize) -> Result<Tensor> {
    let rows = values.len() / width.max(1);
    Ok(Tensor::from_vec(values, (rows, width), &Device::Cpu)?)
}

/// An activation function by its name in transformers' `ACT2FN`.
#[derive(Debug, Clone, Copy)]
pub enum Activation {
    /// One that the kernels know, applied as the product is written.
    Fused(kernels::Activation),
    /// Any other, value by value.
    Plain(fn(f32) -> f32),
}

impl Activation {
    /// The exact (erf) GELU.
    pub const GELU: Self = Self::Fused(kernels::Activation::Gelu);
    /// The rectifier.
    pub const RELU: Self = Self::Fused(kernels::Activation::Relu);

    /// Looks a name up.
    ///
    /// # Errors
    /// An unknown name: the message lists the known ones.
    pub fn parse(name: &str) -> std::result::Result<Self, String> {
        use kernels::Activation::{Gelu, GeluTanh, None, Relu, Silu, Tanh};
        Ok(match name {
            "gelu" | "gelu_python" => Self::Fused(Gelu),
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "gelu_python_tanh" | "gelu_accurate" => {
                Self::Fused(GeluTanh)
            }
            "relu" => Self::Fused(Relu),
            "silu" | "swish" => Self::Fused(Silu),
            "tanh" => Self::Fused(Tanh),
            "linear" => Self::Fused(None),
            "gelu_10" => {
                Self::Plain(|x| (0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))).clamp(-10.0, 10.0))
            }
            "hardswish" => Self::Plain(|x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
            "laplace" => Self::Plain(laplace),
            "leaky_relu" => Self::Plain(|x| if x >= 0.0 { x } else { 0.01 * x }),
            "mish" => Self::Plain(|x| x * softplus(x).tanh()),
            "quick_gelu" => Self::Plain(|x| x * sigmoid(1.702 * x)),
            "relu2" => Self::Plain(|x| x.max(0.0) * x.max(0.0)),
            "relu6" => Self::Plain(|x| x.clamp(0.0, 6.0)),
            "sigmoid" => Self::Plain(sigmoid),
            "sqrtsoftplus" => Self::Plain(|x| softplus(x).sqrt()),
            other => {
                return Err(format!(
                    "activation {other:?} is not supported: gelu, gelu_new, gelu_fast, gelu_10, gelu_pytorch_tanh, \
                     gelu_accurate, quick_gelu, relu, relu2, relu6, leaky_relu, silu, swish, hardswish, mish, \
                     laplace, sigmoid, sqrtsoftplus, tanh and linear are"
                ));
            }
        })
    }

    fn fused(self) -> kernels::Activation {
        match self {
            Self::Fused(activation) => activation,
            Self::Plain(_) => kernels::Activation::None,
        }
    }

    /// `activation(first half of each row) * second half`: `(rows, 2 * width)` to `(rows, width)`.
    ///
    /// # Errors
    /// The tensor is no matrix on the processor.
    pub fn gate(self, x: &Tensor) -> Result<Tensor> {
        let (rows, twice) = x.dims2()?;
        let width = twice / 2;
        let mut out = vec![0.0; rows * width];
        with_values(x, |x| match self {
            Self::Fused(activation) => kernels::gated(x, width, activation, &mut out),
            Self::Plain(f) => {
                for (x, out) in x.chunks_exact(twice).zip(out.chunks_exact_mut(width)) {
                    for (column, out) in out.iter_mut().enumerate() {
                        *out = f(x[column]) * x[width + column];
                    }
                }
            }
        })?;
        matrix(out, width)
    }
}

fn erf(x: f32) -> f32 {
    candle_core::cpu::erf::erf_f64(f64::from(x)) as f32
}

/// The logistic function.
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// As torch: linear above 20.
fn softplus(x: f32) -> f32 {
    if x > 20.0 { x } else { x.exp().ln_1p() }
}

/// The normal distribution function with the mean and deviation of transformers' `LaplaceActivation`.
fn laplace(x: f32) -> f32 {
    // Rounded to six digits there, so rounded here: not the root of a half.
    #[allow(clippy::approx_constant)]
    let z = (x - 0.707_107) / (0.282_095 * std::f32::consts::SQRT_2);
    0.5 * (1.0 + erf(z))
}

/// `y = x W^T + b`.
pub struct Linear {
    weight: PackedMatrix,
    bias: Option<Vec<f32>>,
}

impl Linear {
    /// Loads `weight` `(outputs, inputs)` and, if there is one, `bias`.
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
        let parts: Vec<Weights> = match names {
            [] => vec![weights.clone()],
            names => names.iter().map(|name| weights.at(name)).collect(),
        };
        let mut weight = Vec::with_capacity(parts.len() * outputs * inputs);
        let mut bias = Vec::new();
        for part in &parts {
            weight.extend(part.vec("weight", &[outputs, inputs])?);
            if part.has("bias") {
                bias.extend(part.vec("bias", &[outputs])?);
            }
        }
        let outputs = parts.len() * outputs;
        let bias = match bias.len() {
            0 => None,
            n if n == outputs => Some(bias),
            _ => return Err(weights.error("some of the joined layers have a bias and some have none")),
        };
        Ok(Self::new(&weight, bias, inputs, outputs))
    }

    /// From values: `weight` `(outputs, inputs)` row by row, `bias` `(outputs)`.
    pub fn new(weight: &[f32], bias: Option<Vec<f32>>, inputs: usize, outputs: usize) -> Self {
        Self { weight: PackedMatrix::new(weight, outputs, inputs, kernels::Precision::Split), bias }
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
        let Activation::Plain(f) = activation else { return Ok(y) };
        let width = self.weight.out_features();
        matrix(with_values(&y, |y| y.iter().copied().map(f).collect())?, width)
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
        let outputs = self.weight.out_features();
        if inputs != self.weight.in_features() || residual.is_some_and(|r| r.dims() != [rows, outputs]) {
            let message = format!("linear layer ({outputs}, {}): input {:?}", self.weight.in_features(), x.dims());
            return Err(Error::Compute(candle_core::Error::Msg(message)));
        }
        let mut out = vec![0.0; rows * outputs];
        let bias = self.bias.as_deref();
        with_values(x, |x| match residual {
            None => {
                kernels::linear(x, rows, &self.weight, bias, activation, None, &mut out, threads);
                Ok(())
            }
            Some(residual) => with_values(residual, |residual| {
                kernels::linear(x, rows, &self.weight, bias, activation, Some(residual), &mut out, threads);
            }),
        })??;
        matrix(out, outputs)
    }
}

/// Layer normalization over the columns.
pub struct LayerNorm {
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    eps: f32,
}

impl LayerNorm {
    /// Loads `weight` and, if there is one, `bias`, both `(width)`.
    ///
    /// # Errors
    /// A missing tensor or one of another shape.
    pub fn load(weights: &Weights, width: usize, eps: f32) -> Result<Self> {
        let bias = weights.has("bias").then(|| weights.vec("bias", &[width])).transpose()?;
        Ok(Self { weight: weights.vec("weight", &[width])?, bias, eps })
    }

    /// A norm that has nothing to learn.
    pub fn plain(width: usize, eps: f32) -> Self {
        Self { weight: vec![1.0; width], bias: None, eps }
    }

    /// `(rows, width)` to the same shape.
    ///
    /// # Errors
    /// `x` is no matrix on the processor.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let width = self.weight.len();
        let mut out = vec![0.0; x.elem_count()];
        with_values(x, |x| {
            kernels::layer_norm(x, width, Some(&self.weight), self.bias.as_deref(), self.eps, &mut out);
        })?;
        matrix(out, width)
    }
}

/// Normalization by the root of the mean square of the columns.
pub struct RmsNorm {
    weight: Vec<f32>,
    eps: f32,
}

impl RmsNorm {
    /// Loads `weight` `(width)`.
    ///
    /// # Errors
    /// A missing tensor or one of another shape.
    pub fn load(weights: &Weights, width: usize, eps: f32) -> Result<Self> {
        Ok(Self { weight: weights.vec("weight", &[width])?, eps })
    }

    /// The same, with a number added to each weight: Gemma keeps the distance from 1.
    pub fn shifted(mut self, by: f32) -> Self {
        self.weight.iter_mut().for_each(|weight| *weight += by);
        self
    }

    /// `(rows, width)` to the same shape.
    ///
    /// # Errors
    /// `x` is no matrix on the processor.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut out = vec![0.0; x.elem_count()];
        with_values(x, |x| kernels::rms_norm(x, &self.weight, self.eps, &mut out))?;
        matrix(out, self.weight.len())
    }
}

/// A table of rows by id. Rows are read from the file as they are needed.
pub struct Embedding {
    table: Stored,
    width: usize,
}

impl Embedding {
    /// Loads `weight` `(any number, width)`.
    ///
    /// # Errors
    /// A missing tensor or one of another width.
    pub fn load(weights: &Weights, width: usize) -> Result<Self> {
        let table = weights.stored("weight")?.clone();
        let rows = table.shape().first().copied().unwrap_or(0);
        weights.shaped("weight", &[rows, width])?;
        Ok(Self { table, width })
    }

    /// The rows of these ids: `(ids, width)`.
    ///
    /// # Errors
    /// An id outside the table.
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        let rows = self.table.shape()[0];
        let mut out = vec![0.0; ids.len() * self.width];
        for (&id, out) in ids.iter().zip(out.chunks_exact_mut(self.width)) {
            let id = id as usize;
            if id >= rows {
                return Err(Error::Record(format!(
                    "token id {id} is outside the model's vocabulary of {rows}: tokenizer.json and the weights do not fit"
                )));
            }
            self.table.read(id * self.width, out);
        }
        matrix(out, self.width)
    }
}

/// Learned absolute positions, counted from an offset.
pub struct PositionTable {
    rows: Vec<f32>,
    /// The row of all padding, where positions are counted from that row on.
    padding: Option<Vec<f32>>,
    width: usize,
}

impl PositionTable {
    /// Loads `weight` `(positions, width)`; the first position of a sequence is row `offset`.
    ///
    /// # Errors
    /// A missing tensor or one of another shape.
    pub fn load(weights: &Weights, positions: usize, width: usize, offset: usize) -> Result<Self> {
        let mut before = weights.vec("weight", &[positions, width])?;
        let rows = before.split_off((offset * width).min(positions * width));
        let padding = before.len().checked_sub(width).map(|start| before.split_off(start));
        Ok(Self { rows, padding, width })
    }

    /// Adds the first row of another table to every position: the token type of a single sequence.
    ///
    /// # Errors
    /// A missing tensor or one of another width.
    pub fn add_first_row(&mut self, weights: &Weights) -> Result<()> {
        let mut first = vec![0.0; self.width];
        let kinds = weights.stored("weight")?.shape().first().copied().unwrap_or(0);
        weights.shaped("weight", &[kinds, self.width])?.read(0, &mut first);
        let padding = self.padding.iter_mut().flat_map(|row| row.chunks_exact_mut(self.width));
        for row in self.rows.chunks_exact_mut(self.width).chain(padding) {
            row.iter_mut().zip(&first).for_each(|(x, y)| *x += y);
        }
        Ok(())
    }

    /// How many positions there are.
    #[allow(clippy::len_without_is_empty)] // a model without positions has no table
    pub fn len(&self) -> usize {
        self.rows.len() / self.width
    }

    /// `x` `(tokens, width)` plus the position of each token in its sequence.
    ///
    /// # Errors
    /// A sequence is longer than the table.
    pub fn add_to(&self, x: &Tensor, sequences: &Sequences) -> Result<Tensor> {
        if let Some(range) = sequences.ranges().find(|range| range.len() > self.len()) {
            return Err(Error::Record(format!("{} tokens, but the model has {} positions", range.len(), self.len())));
        }
        let mut out = with_values(x, <[f32]>::to_vec)?;
        for (index, range) in sequences.ranges().enumerate() {
            let text = sequences.text.as_ref().map_or(range.clone(), |text| text[index].clone());
            let rows = &mut out[range.start * self.width..range.end * self.width];
            let (text, padding) = rows.split_at_mut(text.len() * self.width);
            match &self.padding {
                Some(row) => padding.chunks_exact_mut(self.width).for_each(|x| add(x, row)),
                None => add(padding, &self.rows[text.len()..]),
            }
            add(text, &self.rows);
        }
        matrix(out, self.width)
    }
}

fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// Rotary positions on the queries and keys of a joined `(tokens, 3 * hidden)` matrix.
///
/// Source: `apply_rotary_pos_emb` of transformers: the two halves of a head turn together.
pub struct Rotary {
    /// `(positions, head_dim / 2)`.
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
    heads: usize,
}

impl Rotary {
    /// Angles `position * theta^(-2 i / head_dim)`, in f32 as the reference computes them.
    pub fn new(theta: f32, head_dim: usize, heads: usize, positions: usize) -> Self {
        Self::from_frequencies(&Self::frequencies(theta, head_dim), heads, positions)
    }

    /// What a position is multiplied with: `theta^(-2 i / head_dim)`.
    pub fn frequencies(theta: f32, head_dim: usize) -> Vec<f32> {
        (0..head_dim / 2).map(|i| 1.0 / theta.powf((2 * i) as f32 / head_dim as f32)).collect()
    }

    /// Angles `position * frequency`, for frequencies of any kind.
    pub fn from_frequencies(frequencies: &[f32], heads: usize, positions: usize) -> Self {
        let half = frequencies.len();
        let angles = || (0..positions).flat_map(|p| frequencies.iter().map(move |f| p as f32 * f));
        Self { cos: angles().map(f32::cos).collect(), sin: angles().map(f32::sin).collect(), half, heads }
    }

    /// Turns queries and keys by their positions; values stay.
    ///
    /// # Errors
    /// `x` is no matrix on the processor.
    pub fn forward(&self, x: Tensor, sequences: &Sequences) -> Result<Tensor> {
        let (_, width) = x.dims2()?;
        let mut values = with_values(&x, <[f32]>::to_vec)?;
        for range in sequences.ranges() {
            let rows = values[range.start * width..range.end * width].chunks_exact_mut(width);
            for (position, row) in rows.enumerate() {
                let at = position * self.half..(position + 1) * self.half;
                let (cos, sin) = (&self.cos[at.clone()], &self.sin[at]);
                for head in row[..width / 3 * 2].chunks_exact_mut(2 * self.half).take(2 * self.heads) {
                    let (first, second) = head.split_at_mut(self.half);
                    for i in 0..self.half {
                        let (a, b) = (first[i], second[i]);
                        first[i] = a * cos[i] - b * sin[i];
                        second[i] = b * cos[i] + a * sin[i];
                    }
                }
            }
        }
        matrix(values, width)
    }
}

/// Multi-head self-attention inside each sequence, over queries, keys and values side by side.
pub struct Attention {
    heads: usize,
    head_dim: usize,
    scale: f32,
    window: Option<usize>,
    causal: bool,
}

impl Attention {
    /// Heads that share `hidden` columns, scaled by the root of the head's width.
    ///
    /// # Errors
    /// The heads do not divide the width.
    pub fn new(hidden: usize, heads: usize) -> std::result::Result<Self, String> {
        if heads == 0 || !hidden.is_multiple_of(heads) {
            return Err(format!("num_attention_heads {heads} does not divide hidden_size {hidden}"));
        }
        let head_dim = hidden / heads;
        Ok(Self { heads, head_dim, scale: 1.0 / (head_dim as f32).sqrt(), window: None, causal: false })
    }

    /// The same, with another factor on the scores.
    pub fn scaled(self, scale: f32) -> Self {
        Self { scale, ..self }
    }

    /// The same, where a token sees only tokens at most `distance` away.
    pub fn within(self, distance: usize) -> Self {
        Self { window: Some(distance), ..self }
    }

    /// The same, where a token sees only itself and those before it.
    pub fn causal(self) -> Self {
        Self { causal: true, ..self }
    }

    /// `(tokens, 3 * hidden)` to `(tokens, hidden)`.
    ///
    /// # Errors
    /// The width is another one.
    pub fn forward(&self, query_key_value: &Tensor, sequences: &Sequences) -> Result<Tensor> {
        self.forward_biased(query_key_value, sequences, Bias::None)
    }

    /// The same, with a bias on the scores.
    ///
    /// # Errors
    /// The width is another one.
    pub fn forward_biased(&self, query_key_value: &Tensor, sequences: &Sequences, bias: Bias<'_>) -> Result<Tensor> {
        let (tokens, width) = query_key_value.dims2()?;
        let hidden = self.heads * self.head_dim;
        if width != 3 * hidden || tokens != sequences.tokens() {
            return Err(candle_core::Error::Msg(format!("attention over {:?}", query_key_value.dims())).into());
        }
        let shape = AttentionShape {
            bounds: &sequences.bounds,
            heads: self.heads,
            head_dim: self.head_dim,
            scale: self.scale,
            window: self.window,
            causal: self.causal,
        };
        let mut out = vec![0.0; tokens * hidden];
        with_values(query_key_value, |data| {
            let part = |i: usize| Rows { data, stride: width, offset: i * hidden };
            let [query, key, value] = [part(0), part(1), part(2)];
            match &sequences.text {
                None => kernels::attention(query, key, value, &shape, bias, &mut out, sequences.threads),
                Some(text) => {
                    kernels::attention_over(query, key, value, &shape, text, bias, &mut out, sequences.threads);
                }
            }
        })?;
        matrix(out, hidden)
    }

    /// Queries `(tokens, hidden)` of `sequences` over keys and values side by side `(rows, 2 * hidden)`, of
    /// which sequence `i` sees the rows `seen[i]`: `(tokens, hidden)`.
    ///
    /// # Errors
    /// A width is another one.
    pub fn forward_over(
        &self,
        query: &Tensor,
        key_value: &Tensor,
        sequences: &Sequences,
        seen: &[Range<usize>],
    ) -> Result<Tensor> {
        let hidden = self.heads * self.head_dim;
        if query.dims() != [sequences.tokens(), hidden] || key_value.dims2()?.1 != 2 * hidden {
            let message = format!("attention of {:?} over {:?}", query.dims(), key_value.dims());
            return Err(candle_core::Error::Msg(message).into());
        }
        let shape = AttentionShape {
            bounds: &sequences.bounds,
            heads: self.heads,
            head_dim: self.head_dim,
            scale: self.scale,
            window: self.window,
            causal: self.causal,
        };
        let mut out = vec![0.0; sequences.tokens() * hidden];
        with_values(query, |query| {
            with_values(key_value, |data| {
                let query = Rows { data: query, stride: hidden, offset: 0 };
                let [key, value] = [0, hidden].map(|offset| Rows { data, stride: 2 * hidden, offset });
                let bias = Bias::None;
                kernels::attention_over(query, key, value, &shape, seen, bias, &mut out, sequences.threads);
            })
        })??;
        matrix(out, hidden)
    }
}
