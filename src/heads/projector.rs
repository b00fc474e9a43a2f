//! Token features -> the space where text and labels are compared.
//!
//! Source: `FeaturesProjector` of `gliclass` 0.1.21.

use candle_core::Tensor;

use super::Mlp;
use crate::backbones::layers::{Activation, matrix, with_values};
use crate::checkpoint::Weights;
use crate::error::Result;

/// Keeps the length of a vector of zeros from dividing by zero.
const EPSILON: f64 = 1e-8;

/// Two dense layers with an activation between.
pub struct Projector(Mlp);

impl Projector {
    /// Loads `linear_1` and `linear_2`.
    ///
    /// # Errors
    /// Missing or mismatched tensors.
    pub fn load(weights: &Weights, hidden: usize, activation: Activation) -> Result<Self> {
        Ok(Self(Mlp::load(weights, &["linear_1", "linear_2"], hidden, activation)?))
    }

    /// `(rows, hidden)` to the same shape.
    ///
    /// # Errors
    /// `x` has another width.
    pub fn forward(&self, x: &Tensor, threads: usize) -> Result<Tensor> {
        self.0.forward(x, threads)
    }
}

/// Scales every row of `x` `(rows, width)` to unit length.
///
/// # Errors
/// `x` is no matrix on the processor.
pub fn normalize(x: &Tensor) -> Result<Tensor> {
    let (_, width) = x.dims2()?;
    let mut values = with_values(x, <[f32]>::to_vec)?;
    for row in values.chunks_exact_mut(width) {
        let length = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt() + EPSILON;
        row.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
    matrix(values, width)
}
