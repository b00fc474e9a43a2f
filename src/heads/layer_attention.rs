//! All hidden states -> one, each layer weighed by what the sequence looks like in it.
//!
//! Source: `LayerwiseAttention` of `gliclass` 0.1.21.

use candle_core::Tensor;

use crate::backbones::Sequences;
use crate::backbones::layers::{Activation, Linear, matrix, sigmoid, with_values};
use crate::checkpoint::Weights;
use crate::error::Result;

/// Squeeze-and-excitation over the layers.
pub struct LayerAttention {
    squeeze: Linear,
    reduce: Linear,
    expand: Linear,
    output: Linear,
    layers: usize,
}

impl LayerAttention {
    /// Loads the layers; how many hidden states are weighed is told by the tensors.
    ///
    /// # Errors
    /// Missing or mismatched tensors.
    pub fn load(weights: &Weights, hidden: usize) -> Result<Self> {
        let reduce = weights.at("W1");
        let layers = reduce.stored("weight")?.shape().last().copied().unwrap_or(0);
        Ok(Self {
            squeeze: Linear::load(&weights.at("squeeze"), hidden, 1)?,
            reduce: Linear::load(&reduce, layers, layers / 2)?,
            expand: Linear::load(&weights.at("W2"), layers / 2, layers)?,
            output: Linear::load(&weights.at("output_projection"), hidden, hidden)?,
            layers,
        })
    }

    /// How many hidden states are weighed.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// Hidden states, each `(tokens, hidden)`, to one.
    ///
    /// # Errors
    /// There are more or fewer of them than [`LayerAttention::layers`].
    pub fn forward(&self, states: &[Tensor], sequences: &Sequences) -> Result<Tensor> {
        let weights = self.weigh(states, sequences)?;
        let (tokens, hidden) = states[0].dims2()?;
        let mut sum = vec![0f32; tokens * hidden];
        for (layer, state) in states.iter().enumerate() {
            with_values(state, |state| {
                for (sequence, range) in sequences.ranges().enumerate() {
                    let weight = weights[sequence * self.layers + layer];
                    let rows = range.start * hidden..range.end * hidden;
                    sum[rows.clone()].iter_mut().zip(&state[rows]).for_each(|(sum, x)| *sum += x * weight);
                }
            })?;
        }
        self.output.forward(&matrix(sum, hidden)?, sequences.threads)
    }

    /// The weight of each layer in each sequence: `(sequences, layers)`.
    fn weigh(&self, states: &[Tensor], sequences: &Sequences) -> Result<Vec<f32>> {
        if states.len() != self.layers || states.is_empty() {
            let message = format!("attention over {} layers got {}", self.layers, states.len());
            return Err(candle_core::Error::Msg(message).into());
        }
        let mut means = vec![0f32; (sequences.bounds.len() - 1) * self.layers];
        for (layer, state) in states.iter().enumerate() {
            let squeezed = self.squeeze.forward(state, sequences.threads)?;
            with_values(&squeezed, |values| {
                for (sequence, range) in sequences.ranges().enumerate() {
                    let count = range.len() as f64;
                    let sum: f64 = values[range].iter().map(|&x| f64::from(x)).sum();
                    means[sequence * self.layers + layer] = (sum / count) as f32;
                }
            })?;
        }
        let means = matrix(means, self.layers)?;
        let reduced = self.reduce.forward_activated(&means, Activation::RELU, 1)?;
        with_values(&self.expand.forward(&reduced, 1)?, |x| x.iter().copied().map(sigmoid).collect())
    }
}
