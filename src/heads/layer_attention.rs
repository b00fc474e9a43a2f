//! All hidden states -> one, each layer weighed by what the sequence looks like in it.
//!
//! Source: `LayerwiseAttention` of `gliclass` 0.1.21.

use candle_core::Tensor;

use crate::backbones::Sequences;
use crate::backbones::layers::{Activation, Linear, Span, pool, weighted_sum};
use crate::checkpoint::Weights;
use crate::checkpoint::config::Pooling;
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
        let sum = weighted_sum(states, &self.weigh(states, sequences)?, sequences)?;
        self.output.forward(&sum, sequences.threads)
    }

    /// The weight of each layer in each sequence: `(sequences, layers)`.
    fn weigh(&self, states: &[Tensor], sequences: &Sequences) -> Result<Tensor> {
        if states.len() != self.layers || states.is_empty() {
            let message = format!("attention over {} layers got {}", self.layers, states.len());
            return Err(candle_core::Error::Msg(message).into());
        }
        let spans = Span::all(sequences);
        let mean = |state| pool(&self.squeeze.forward(state, sequences.threads)?, &spans, Pooling::Avg);
        let means = states.iter().map(mean).collect::<Result<Vec<_>>>()?;
        let means = Tensor::cat(&means, 1)?.contiguous()?;
        let reduced = self.reduce.forward_activated(&means, Activation::RELU, 1)?;
        self.expand.forward_activated(&reduced, Activation::SIGMOID, 1)
    }
}
