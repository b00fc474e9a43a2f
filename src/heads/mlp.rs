//! A stack of dense layers.

use candle_core::Tensor;

use crate::backbones::layers::{Activation, Dropout, Linear};
use crate::checkpoint::Weights;
use crate::error::Result;

/// Dense layers with one activation between them. Sizes are told by the tensors, not by the config.
pub struct Mlp {
    layers: Vec<Linear>,
    activation: Activation,
    /// After each activation.
    dropout: Dropout,
}

impl Mlp {
    /// Loads the layers `names`, the first of which takes `inputs` columns.
    ///
    /// # Errors
    /// Missing tensors, or layers that do not fit each other.
    pub fn load(weights: &Weights, names: &[&str], inputs: usize, activation: Activation) -> Result<Self> {
        let mut width = inputs;
        let layers = names.iter().map(|name| {
            let weights = weights.at(name);
            let outputs = weights.stored("weight")?.shape().first().copied().unwrap_or(0);
            let linear = Linear::load(&weights, width, outputs);
            width = outputs;
            linear
        });
        Ok(Self { layers: layers.collect::<Result<_>>()?, activation, dropout: Dropout::default() })
    }

    /// The same, where a share of what the activations give is left out while the model learns.
    pub fn dropping(self, dropout: Dropout) -> Self {
        Self { dropout, ..self }
    }

    /// `(rows, inputs)` to `(rows, outputs of the last layer)`.
    ///
    /// # Errors
    /// `x` has another width.
    pub fn forward(&self, x: &Tensor, threads: usize) -> Result<Tensor> {
        let mut x = x.clone();
        for (index, layer) in self.layers.iter().enumerate() {
            let last = index + 1 == self.layers.len();
            x = if last {
                layer.forward(&x, threads)?
            } else {
                self.dropout.forward(&layer.forward_activated(&x, self.activation, threads)?)?
            };
        }
        Ok(x)
    }
}
