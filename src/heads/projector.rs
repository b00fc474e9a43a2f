//! Token features -> the space where text and labels are compared.
//!
//! Source: `FeaturesProjector` of `gliclass` 0.1.21.

use candle_core::Tensor;

use super::Mlp;
use crate::backbones::layers::{Activation, Dropout};
use crate::checkpoint::Weights;
use crate::error::Result;

/// Two dense layers with an activation between.
pub struct Projector(Mlp);

impl Projector {
    /// Loads `linear_1` and `linear_2`, from the first of `columns` to the second; between them the share `dropout` is left out while the model learns.
    ///
    /// # Errors
    /// Missing or mismatched tensors.
    pub fn load(weights: &Weights, columns: [usize; 2], activation: Activation, dropout: f32) -> Result<Self> {
        let mlp = Mlp::load(weights, &["linear_1", "linear_2"], columns, activation)?;
        Ok(Self(mlp.dropping(Dropout::new(weights, dropout))))
    }

    /// `(rows, first of the columns)` to `(rows, second of them)`.
    ///
    /// # Errors
    /// `x` has another width.
    pub fn forward(&self, x: &Tensor, threads: usize) -> Result<Tensor> {
        self.0.forward(x, threads)
    }
}
