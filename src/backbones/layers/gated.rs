//! Gated layers.

use candle_core::Tensor;

use super::linear::Form;
use super::{Activation, Linear};
use crate::checkpoint::Weights;
use crate::error::Result;

/// `y = activation(x W^T + b) * (x V^T + c)`, the gated linear unit of <https://arxiv.org/abs/2002.05202>.
pub struct GatedLinear {
    /// Both products; where the kernels know the activation, all of the layer.
    linear: Linear,
    activation: Activation,
}

impl GatedLinear {
    /// Loads `W` and `V` `(outputs, inputs)`: by their names, or, without names, one below the other in `weight`. The
    /// same for the biases, where these weights have some.
    ///
    /// # Errors
    /// A missing tensor or one of another shape.
    pub fn load(
        weights: &Weights,
        names: Option<[&str; 2]>,
        inputs: usize,
        outputs: usize,
        activation: Activation,
    ) -> Result<Self> {
        let form = match activation {
            Activation::Fused(_) => Form::Gated,
            Activation::Plain(..) => Form::Plain,
        };
        let linear = match names {
            Some(names) => Linear::load_form(weights, &names, inputs, outputs, form)?,
            None => Linear::load_form(weights, &[], inputs, 2 * outputs, form)?,
        };
        Ok(Self { linear, activation })
    }

    /// `x` `(rows, inputs)` to `(rows, outputs)`.
    ///
    /// # Errors
    /// `x` has another width.
    pub fn forward(&self, x: &Tensor, threads: usize) -> Result<Tensor> {
        if self.linear.is_gated() {
            return self.linear.forward_activated(x, self.activation, threads);
        }
        self.activation.gate(&self.linear.forward(x, threads)?)
    }
}
