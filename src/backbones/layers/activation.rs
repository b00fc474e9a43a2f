//! Activation functions and the gate.

use candle_core::Tensor;

#[cfg(feature = "cuda")]
use super::cuda::elements;
use super::{gradients, kernels_take, with_values};
use crate::error::Result;
use crate::kernels;

/// An activation function by its name in transformers' `ACT2FN`.
#[derive(Debug, Clone, Copy)]
pub enum Activation {
    /// One that the kernels know, applied as the product is written.
    Fused(kernels::Activation),
    /// Any other: value by value, and on tensors.
    Plain(fn(f32) -> f32, fn(&Tensor) -> candle_core::Result<Tensor>),
}

impl Activation {
    /// The exact (erf) GELU.
    pub const GELU: Self = Self::Fused(kernels::Activation::Gelu);
    /// The rectifier.
    pub const RELU: Self = Self::Fused(kernels::Activation::Relu);
    /// The logistic function.
    pub const SIGMOID: Self = Self::Plain(sigmoid, candle_nn::ops::sigmoid);

    /// Looks up the name that a `setting` gives.
    ///
    /// # Errors
    /// An unknown name: the message lists the known ones.
    pub fn parse(setting: &str, name: &str) -> std::result::Result<Self, String> {
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
            "gelu_10" => Self::Plain(
                |x| (0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))).clamp(-10.0, 10.0),
                |x| x.gelu_erf()?.clamp(-10f32, 10f32),
            ),
            "hardswish" => {
                Self::Plain(|x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0, |x| (x * (x + 3.0)?.clamp(0f32, 6f32)?)? / 6.0)
            }
            "laplace" => Self::Plain(laplace, |x| {
                (((x - LAPLACE_MEAN)? / (LAPLACE_DEVIATION * std::f64::consts::SQRT_2))?.erf()? + 1.0)? * 0.5
            }),
            "leaky_relu" => Self::Plain(|x| if x >= 0.0 { x } else { 0.01 * x }, |x| x.maximum(&(x * 0.01)?)),
            "mish" => Self::Plain(|x| x * softplus(x).tanh(), |x| x * softplus_of(x)?.tanh()?),
            "quick_gelu" => Self::Plain(|x| x * sigmoid(1.702 * x), |x| x * candle_nn::ops::sigmoid(&(x * 1.702)?)?),
            "relu2" => Self::Plain(|x| if x < 0.0 { 0.0 } else { x * x }, |x| x.relu()?.sqr()),
            "relu6" => Self::Plain(|x| x.clamp(0.0, 6.0), |x| x.clamp(0f32, 6f32)),
            "sigmoid" => Self::SIGMOID,
            "sqrtsoftplus" => Self::Plain(|x| softplus(x).sqrt(), |x| softplus_of(x)?.sqrt()),
            other => {
                return Err(format!(
                    "{setting} {other:?} is not supported: gelu, gelu_new, gelu_fast, gelu_10, gelu_pytorch_tanh, \
                     gelu_accurate, quick_gelu, relu, relu2, relu6, leaky_relu, silu, swish, hardswish, mish, \
                     laplace, sigmoid, sqrtsoftplus, tanh and linear are"
                ));
            }
        })
    }

    /// What the kernels apply as they write a product.
    pub(super) fn fused(self) -> kernels::Activation {
        match self {
            Self::Fused(activation) => activation,
            Self::Plain(..) => kernels::Activation::None,
        }
    }

    /// The activation of every element.
    ///
    /// # Errors
    /// The computation failed.
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        use kernels::Activation::{Gelu, GeluTanh, None, Relu, Silu, Tanh};
        Ok(match self {
            Self::Plain(f, _) if kernels_take(x) => {
                Tensor::from_vec(with_values(x, |x| x.iter().copied().map(f).collect())?, x.dims(), x.device())?
            }
            Self::Plain(_, f) => f(x)?,
            Self::Fused(activation) if gradients::take(x) => gradients::activate(x, activation)?,
            Self::Fused(None) => x.clone(),
            Self::Fused(Gelu) => x.gelu_erf()?,
            Self::Fused(GeluTanh) => x.gelu()?,
            Self::Fused(Relu) => x.relu()?,
            Self::Fused(Silu) => x.silu()?,
            Self::Fused(Tanh) => x.tanh()?,
        })
    }

    /// `activation(first half of each row) * second half`: `(rows, 2 * width)` to `(rows, width)`.
    pub(super) fn gate(self, x: &Tensor) -> Result<Tensor> {
        if let (true, Self::Fused(activation)) = (gradients::take(x), self) {
            return Ok(gradients::gate(x, activation)?);
        }
        #[cfg(feature = "cuda")]
        if let (Self::Fused(activation), true) = (self, elements::take(x)) {
            return elements::gate(x, activation);
        }
        let width = x.dim(1)? / 2;
        let gate = self.forward(&x.narrow(1, 0, width)?.contiguous()?)?;
        Ok((gate * x.narrow(1, width, width)?)?)
    }
}

/// Mean and deviation of transformers' `LaplaceActivation`. Rounded to six digits there, so rounded here.
#[allow(clippy::approx_constant)]
const LAPLACE_MEAN: f64 = 0.707_107;
const LAPLACE_DEVIATION: f64 = 0.282_095;

/// The normal distribution function.
fn laplace(x: f32) -> f32 {
    let z = (x - LAPLACE_MEAN as f32) / (LAPLACE_DEVIATION as f32 * std::f32::consts::SQRT_2);
    0.5 * (1.0 + erf(z))
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

/// `max(x, 0) + ln(1 + exp(-|x|))`, which cannot overflow.
fn softplus_of(x: &Tensor) -> candle_core::Result<Tensor> {
    x.relu()? + ln_1p_of(&x.abs()?.neg()?.exp()?)?
}

/// `ln(1 + x)` of numbers from 0 to 1, also where 1 swallows them, and with a slope there: `2 artanh(x / (2 + x))` as a
/// series, to 2e-9 of itself.
fn ln_1p_of(x: &Tensor) -> candle_core::Result<Tensor> {
    let ratio = (x / (x + 2.0)?)?;
    let square = ratio.sqr()?;
    let mut sum = square.affine(1.0 / 15.0, 1.0 / 13.0)?;
    for odd in [11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        sum = ((sum * &square)? + 1.0 / odd)?;
    }
    (ratio * sum)? * 2.0
}
