//! A bidirectional LSTM over the text's rows.
//!
//! Source: `LstmSeq2SeqEncoder` of `gliclass` 0.1.21 around `torch.nn.LSTM`.

use candle_core::Tensor;

use crate::backbones::Sequences;
use crate::backbones::layers::{Linear, Recurrence};
use crate::checkpoint::Weights;
use crate::error::Result;

/// One layer, both directions, outputs side by side.
pub struct Lstm {
    forwards: Direction,
    backwards: Direction,
}

struct Direction {
    /// Both biases are added here.
    input: Linear,
    recurrence: Recurrence,
}

impl Lstm {
    /// Loads `weight_ih_l0`, `weight_hh_l0`, their biases and the `_reverse` ones; `hidden` is even.
    ///
    /// # Errors
    /// Missing or mismatched tensors.
    pub fn load(weights: &Weights, hidden: usize) -> Result<Self> {
        Ok(Self {
            forwards: Direction::load(weights, "", hidden)?,
            backwards: Direction::load(weights, "_reverse", hidden)?,
        })
    }

    /// `(tokens, hidden)` to the same shape, each sequence for itself.
    ///
    /// # Errors
    /// `x` has another width.
    pub fn forward(&self, x: &Tensor, sequences: &Sequences) -> Result<Tensor> {
        let states = [self.forwards.forward(x, sequences)?, self.backwards.forward(x, sequences)?];
        Ok(Tensor::cat(&states, 1)?.contiguous()?)
    }
}

impl Direction {
    fn load(weights: &Weights, suffix: &str, hidden: usize) -> Result<Self> {
        let size = hidden / 2;
        let name = |kind: &str| format!("{kind}_l0{suffix}");
        let biases = [name("bias_ih"), name("bias_hh")];
        let biases = [biases[0].as_str(), biases[1].as_str()];
        Ok(Self {
            input: Linear::load_named(weights, &name("weight_ih"), &biases, hidden, 4 * size)?,
            recurrence: Recurrence::load(weights, &name("weight_hh"), size, !suffix.is_empty())?,
        })
    }

    fn forward(&self, x: &Tensor, sequences: &Sequences) -> Result<Tensor> {
        self.recurrence.forward(&self.input.forward(x, sequences.threads)?, sequences)
    }
}
