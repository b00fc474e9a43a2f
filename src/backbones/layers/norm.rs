//! Normalization of rows.

use candle_core::{DType, Tensor};

use super::{Derived, gradients, kernels_hold, matrix, with_values};
use crate::checkpoint::Weights;
use crate::error::Result;
use crate::kernels;

/// Layer normalization over the columns.
pub struct LayerNorm {
    width: usize,
    eps: f32,
    way: Way,
}

enum Way {
    Kernels { weight: Vec<f32>, bias: Option<Vec<f32>> },
    Tensors { weight: Tensor, bias: Tensor },
}

impl LayerNorm {
    /// Loads `weight` and, where these weights have biases, `bias`, both `(width)`.
    ///
    /// # Errors
    /// A missing tensor or one of another shape.
    pub fn load(weights: &Weights, width: usize, eps: f32) -> Result<Self> {
        let has_bias = weights.has_bias();
        let way = if kernels_hold(weights) {
            let bias = has_bias.then(|| weights.vec("bias", &[width])).transpose()?;
            Way::Kernels { weight: weights.vec("weight", &[width])?, bias }
        } else {
            let weight = weights.tensor("weight", &[width])?;
            let bias = if has_bias { weights.tensor("bias", &[width])? } else { weight.zeros_like()?.detach() };
            Way::Tensors { weight, bias }
        };
        Ok(Self { width, eps, way })
    }

    /// A norm that has nothing to learn, beside layers with these weights.
    ///
    /// # Errors
    /// The device has no room.
    pub fn plain(weights: &Weights, width: usize, eps: f32) -> Result<Self> {
        let way = if kernels_hold(weights) {
            Way::Kernels { weight: vec![1.0; width], bias: None }
        } else {
            let ones = Tensor::ones(width, weights.dtype(), weights.device())?;
            Way::Tensors { bias: ones.zeros_like()?, weight: ones }
        };
        Ok(Self { width, eps, way })
    }

    /// `(rows, width)` to the same shape.
    ///
    /// # Errors
    /// `x` is no matrix.
    pub fn forward(&self, x: &Tensor, threads: usize) -> Result<Tensor> {
        let (weight, bias) = match &self.way {
            Way::Kernels { weight, bias } => (weight, bias.as_deref()),
            Way::Tensors { weight, bias } => return normalize(x, weight, bias, self.eps),
        };
        let mut out = vec![0.0; x.elem_count()];
        with_values(x, |x| kernels::layer_norm(x, weight, bias, self.eps, &mut out, threads))?;
        matrix(out, self.width)
    }
}

/// Normalization by the root of the mean square of the columns.
pub struct RmsNorm {
    way: RmsWay,
    eps: f32,
}

enum RmsWay {
    Kernels(Vec<f32>),
    Tensors(Derived),
}

impl RmsNorm {
    /// Loads `weight` `(width)`.
    ///
    /// # Errors
    /// A missing tensor or one of another shape.
    pub fn load(weights: &Weights, width: usize, eps: f32) -> Result<Self> {
        Self::load_shifted(weights, width, eps, 0.0)
    }

    /// The same, with a number added to each weight: Gemma keeps the distance from 1.
    ///
    /// # Errors
    /// A missing tensor or one of another shape.
    pub fn load_shifted(weights: &Weights, width: usize, eps: f32, by: f32) -> Result<Self> {
        let way = if kernels_hold(weights) {
            RmsWay::Kernels(weights.vec("weight", &[width])?.into_iter().map(|weight| weight + by).collect())
        } else {
            let weight = weights.tensor("weight", &[width])?;
            RmsWay::Tensors(Derived::new(weights, move || Ok((&weight + f64::from(by))?))?)
        };
        Ok(Self { way, eps })
    }

    /// `(rows, width)` to the same shape.
    ///
    /// # Errors
    /// `x` is no matrix.
    pub fn forward(&self, x: &Tensor, threads: usize) -> Result<Tensor> {
        match &self.way {
            RmsWay::Kernels(weight) => {
                let mut out = vec![0.0; x.elem_count()];
                with_values(x, |x| kernels::rms_norm(x, weight, self.eps, &mut out, threads))?;
                matrix(out, weight.len())
            }
            RmsWay::Tensors(weight) => {
                let weight = weight.get()?;
                let x = x.to_dtype(weight.dtype())?.contiguous()?;
                if gradients::take(&x) {
                    return Ok(gradients::rms_norm(&x, &weight, self.eps)?);
                }
                if must_be_plain(&x, &weight) {
                    return Ok(candle_nn::ops::rms_norm_slow(&x, &weight, self.eps)?);
                }
                Ok(candle_nn::ops::rms_norm(&x, &weight, self.eps)?)
            }
        }
    }
}

/// candle's own operation where it serves.
fn normalize(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
    let x = x.to_dtype(weight.dtype())?.contiguous()?;
    if gradients::take(&x) {
        return Ok(gradients::layer_norm(&x, weight, bias, eps)?);
    }
    if must_be_plain(&x, weight) {
        return Ok(candle_nn::ops::layer_norm_slow(&x, weight, bias, eps)?);
    }
    Ok(candle_nn::ops::layer_norm(&x, weight, bias, eps)?)
}

/// candle's own norms have no gradient, and on the processor they sum in the type of the input.
fn must_be_plain(x: &Tensor, weight: &Tensor) -> bool {
    x.track_op() || weight.track_op() || (x.device().is_cpu() && x.dtype() != DType::F32)
}
