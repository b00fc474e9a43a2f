//! A stack of dense layers.

use candle_core::Tensor;

use crate::backbones::layers::{Activation, Dropout, Linear};
use crate::checkpoint::{Config, Weights};
use crate::error::Result;

/// Dense layers with one activation between them. Sizes between them are told by the tensors, not by the config.
pub struct Mlp {
    layers: Vec<Linear>,
    activation: Activation,
    /// After each activation.
    dropout: Dropout,
}

impl Mlp {
    /// Loads the layers `names`, the first of which takes `inputs` columns and the last of which gives `outputs`.
    ///
    /// # Errors
    /// Missing tensors, or layers that do not fit each other.
    pub fn load(
        weights: &Weights,
        names: &[&str],
        [inputs, outputs]: [usize; 2],
        activation: Activation,
    ) -> Result<Self> {
        let mut width = inputs;
        let layers = names.iter().enumerate().map(|(index, name)| {
            let weights = weights.at(name);
            let found = weights.stored("weight")?.shape().first().copied().unwrap_or(0);
            let rows = if index + 1 == names.len() { outputs } else { found };
            let linear = Linear::load(&weights, width, rows);
            width = rows;
            linear
        });
        Ok(Self { layers: layers.collect::<Result<_>>()?, activation, dropout: Dropout::default() })
    }

    /// Loads what brings features to where text and labels are compared: the layers `linear_1` and `linear_2`, between
    /// which the share `dropout` is left out while the model learns.
    ///
    /// Source: `FeaturesProjector` of `gliclass` 0.1.21.
    ///
    /// # Errors
    /// An unsupported activation, missing tensors, or layers that do not fit each other.
    pub fn projector(config: &Config, weights: &Weights, columns: [usize; 2], dropout: f32) -> Result<Self> {
        let activation = weights.setting(Activation::parse("projector_hidden_act", &config.projector_hidden_act))?;
        let mlp = Self::load(weights, &["linear_1", "linear_2"], columns, activation)?;
        Ok(mlp.dropping(Dropout::new(weights, dropout)))
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::Mlp;
    use crate::backbones::layers::Activation;
    use crate::checkpoint::Weights;
    use crate::checkpoint::weights::Stored;

    #[test]
    fn a_last_layer_of_another_width_is_refused() {
        let tensor = |name: &str, shape: &[usize]| {
            (name.to_owned(), Stored::from_values(shape.to_vec(), &vec![0.5; shape.iter().product()]))
        };
        let load = |outputs| {
            let first = [tensor("0.weight", &[3, 4]), tensor("0.bias", &[3])];
            let last = [tensor("2.weight", &[outputs, 3]), tensor("2.bias", &[outputs])];
            let tensors = [first, last].concat();
            let weights = Weights::of(Path::new("model.safetensors"), tensors.into_iter().collect());
            Mlp::load(&weights, &["0", "2"], [4, 1], Activation::RELU).map(|_| ())
        };
        load(1).unwrap();
        for outputs in [0, 2] {
            let error = load(outputs).unwrap_err().to_string();
            assert!(error.contains("2.weight"), "{error}");
        }
    }
}
