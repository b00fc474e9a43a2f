//! One direction of `torch.nn.LSTM` (gates in the order input, forget, cell, output).

use std::ops::Range;

use candle_core::Tensor;

use super::{kernels_hold, matrix, sigmoid, with_values};
use crate::backbones::Sequences;
use crate::checkpoint::Weights;
use crate::error::Result;

/// The part of an LSTM that goes from token to token.
pub struct Recurrence {
    size: usize,
    backwards: bool,
    way: Way,
}

/// The weight is `(4 * size, size)`.
enum Way {
    Kernels(Vec<f32>),
    Tensors(Tensor),
}

impl Recurrence {
    /// Loads the weight `name` `(4 * size, size)`; it goes from the last token to the first with `backwards`.
    ///
    /// # Errors
    /// A missing tensor or one of another shape.
    pub fn load(weights: &Weights, name: &str, size: usize, backwards: bool) -> Result<Self> {
        let shape = [4 * size, size];
        let way = if kernels_hold(weights) {
            Way::Kernels(weights.vec(name, &shape)?)
        } else {
            Way::Tensors(weights.tensor(name, &shape)?)
        };
        Ok(Self { size, backwards, way })
    }

    /// What the tokens give to the gates, `(tokens, 4 * size)`, to the states `(tokens, size)`; each
    /// sequence for itself.
    ///
    /// # Errors
    /// `gates` has another width.
    pub fn forward(&self, gates: &Tensor, sequences: &Sequences) -> Result<Tensor> {
        match &self.way {
            Way::Kernels(weight) => {
                let mut out = vec![0.0; sequences.tokens() * self.size];
                with_values(gates, |gates| {
                    for range in sequences.ranges() {
                        let steps = (0..range.len()).map(|step| self.token(&range, step));
                        self.run(weight, gates, steps, |token, state| {
                            out[token * self.size..][..self.size].copy_from_slice(state);
                        });
                    }
                })?;
                matrix(out, self.size)
            }
            Way::Tensors(weight) => self.run_tensors(weight, gates, sequences),
        }
    }

    /// The token that comes after `step` others.
    fn token(&self, range: &Range<usize>, step: usize) -> usize {
        if self.backwards { range.end - 1 - step } else { range.start + step }
    }

    fn run(
        &self,
        weight: &[f32],
        gates: &[f32],
        steps: impl Iterator<Item = usize>,
        mut write: impl FnMut(usize, &[f32]),
    ) {
        let size = self.size;
        let (mut state, mut cell) = (vec![0f32; size], vec![0f32; size]);
        let mut total = vec![0f32; 4 * size];
        for token in steps {
            let input = &gates[token * 4 * size..][..4 * size];
            for ((total, input), row) in total.iter_mut().zip(input).zip(weight.chunks_exact(size)) {
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

    /// All sequences step by step together; one that has ended goes on with a token of its own, unread.
    fn run_tensors(&self, weight: &Tensor, gates: &Tensor, sequences: &Sequences) -> Result<Tensor> {
        let ranges: Vec<Range<usize>> = sequences.ranges().filter(|range| !range.is_empty()).collect();
        let longest = ranges.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        let device = gates.device();
        let zeros = Tensor::zeros((ranges.len(), self.size), gates.dtype(), device)?;
        let (mut state, mut cell) = (zeros.clone(), zeros);
        let mut states = Vec::with_capacity(longest);
        for step in 0..longest {
            let tokens = ranges.iter().map(|range| self.token(range, step.min(range.len() - 1)) as u32);
            let input = gates.index_select(&Tensor::from_iter(tokens, device)?, 0)?;
            let total = (input + state.matmul(&weight.t()?)?)?;
            let gate = |i: usize| total.narrow(1, i * self.size, self.size)?.contiguous();
            let squashed = |i: usize| candle_nn::ops::sigmoid(&gate(i)?);
            cell = ((squashed(1)? * cell)? + (squashed(0)? * gate(2)?.tanh()?)?)?;
            state = (squashed(3)? * cell.tanh()?)?;
            states.push(state.clone());
        }
        let states = Tensor::cat(&states, 0)?;
        let mut places = vec![0u32; sequences.tokens()];
        for (sequence, range) in ranges.iter().enumerate() {
            for step in 0..range.len() {
                places[self.token(range, step)] = (step * ranges.len() + sequence) as u32;
            }
        }
        Ok(states.index_select(&Tensor::new(places, device)?, 0)?)
    }
}
