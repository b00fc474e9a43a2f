//! A bidirectional LSTM over the text's rows.
//!
//! Source: `LstmSeq2SeqEncoder` of `gliclass` 0.1.21 around `torch.nn.LSTM` (gates in the order input,
//! forget, cell, output).

use candle_core::Tensor;

use crate::backbones::Sequences;
use crate::backbones::layers::{Linear, matrix, sigmoid, with_values};
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
    /// `(4 * size, size)`.
    recurrent: Vec<f32>,
    size: usize,
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
        let width = 2 * self.forwards.size;
        let mut out = vec![0.0; sequences.tokens() * width];
        for (direction, first) in [(&self.forwards, 0), (&self.backwards, self.forwards.size)] {
            let gates = direction.input.forward(x, sequences.threads)?;
            with_values(&gates, |gates| {
                for range in sequences.ranges() {
                    let steps: Vec<usize> = if first == 0 { range.collect() } else { range.rev().collect() };
                    direction.run(gates, &steps, |token, state| {
                        out[token * width + first..][..state.len()].copy_from_slice(state);
                    });
                }
            })?;
        }
        matrix(out, width)
    }
}

impl Direction {
    fn load(weights: &Weights, suffix: &str, hidden: usize) -> Result<Self> {
        let size = hidden / 2;
        let name = |kind: &str| format!("{kind}_l0{suffix}");
        let weight = weights.vec(&name("weight_ih"), &[4 * size, hidden])?;
        let mut bias = weights.vec(&name("bias_ih"), &[4 * size])?;
        let recurrent_bias = weights.vec(&name("bias_hh"), &[4 * size])?;
        bias.iter_mut().zip(recurrent_bias).for_each(|(x, y)| *x += y);
        Ok(Self {
            input: Linear::new(&weight, Some(bias), hidden, 4 * size),
            recurrent: weights.vec(&name("weight_hh"), &[4 * size, size])?,
            size,
        })
    }

    /// Goes over the tokens in the order of `steps`; `gates` `(tokens, 4 * size)` come from the input.
    fn run(&self, gates: &[f32], steps: &[usize], mut write: impl FnMut(usize, &[f32])) {
        let size = self.size;
        let (mut state, mut cell) = (vec![0f32; size], vec![0f32; size]);
        let mut total = vec![0f32; 4 * size];
        for &token in steps {
            let input = &gates[token * 4 * size..][..4 * size];
            for ((total, input), row) in total.iter_mut().zip(input).zip(self.recurrent.chunks_exact(size)) {
                *total = input + row.iter().zip(&state).map(|(w, h)| w * h).sum::<f32>();
            }
            for i in 0..size {
                let [input, forget, candidate, output] = [0, 1, 2, 3].map(|gate| total[gate * size + i]);
                cell[i] = sigmoid(forget) * cell[i] + sigmoid(input) * candidate.tanh();
                state[i] = sigmoid(output) * cell[i].tanh();
            }
            write(token, &state);
        }
    }
}
