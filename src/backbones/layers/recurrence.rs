//! One direction of `torch.nn.LSTM` (gates in the order input, forget, cell, output).

use std::cmp::Reverse;
use std::ops::Range;

use candle_core::Tensor;

use super::{kernels_hold, matrix, with_values};
use crate::backbones::Sequences;
use crate::checkpoint::Weights;
use crate::error::Result;
use crate::kernels::{self, Activation, PackedMatrix, Precision};

/// The part of an LSTM that goes from token to token.
pub struct Recurrence {
    size: usize,
    backwards: bool,
    way: Way,
}

/// The weight is `(4 * size, size)`.
enum Way {
    Kernels(PackedMatrix),
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
            // Always in f32: what is rounded in one step goes on through all that follow.
            Way::Kernels(PackedMatrix::new(&weights.vec(name, &shape)?, 4 * size, size, Precision::F32))
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
            Way::Kernels(weight) => matrix(with_values(gates, |gates| self.run(weight, gates, sequences))?, self.size),
            Way::Tensors(weight) => self.run_tensors(weight, gates, sequences),
        }
    }

    /// The token that comes after `step` others.
    fn token(&self, range: &Range<usize>, step: usize) -> usize {
        if self.backwards { range.end - 1 - step } else { range.start + step }
    }

    /// All sequences step by step together, the longest first: those that have not ended are the first ones.
    fn run(&self, weight: &PackedMatrix, gates: &[f32], sequences: &Sequences) -> Vec<f32> {
        let (size, width) = (self.size, 4 * self.size);
        let mut ranges: Vec<Range<usize>> = sequences.ranges().collect();
        ranges.sort_by_key(|range| Reverse(range.len()));
        let mut out = vec![0.0; sequences.tokens() * size];
        let (mut states, mut cells) = (vec![0.0; ranges.len() * size], vec![0.0; ranges.len() * size]);
        let (mut input, mut totals) = (Vec::new(), vec![0.0; ranges.len() * width]);
        for step in 0..ranges.first().map_or(0, Range::len) {
            let active = ranges.partition_point(|range| range.len() > step);
            let tokens = ranges[..active].iter().map(|range| self.token(range, step));
            input.clear();
            tokens.clone().for_each(|token| input.extend_from_slice(&gates[token * width..][..width]));
            let (states, cells) = (&mut states[..active * size], &mut cells[..active * size]);
            let totals = &mut totals[..active * width];
            let nothing = Activation::None;
            kernels::linear(states, active, weight, None, nothing, Some(&input), totals, sequences.threads);
            step_on(size, totals, cells, states);
            for (token, state) in tokens.zip(states.chunks_exact(size)) {
                out[token * size..][..size].copy_from_slice(state);
            }
        }
        out
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

/// The next cells and states `(sequences, size)`, from the sums of their gates `(sequences, 4 * size)`.
fn step_on(size: usize, totals: &mut [f32], cells: &mut [f32], states: &mut [f32]) {
    // `sigmoid(x) = (1 + tanh(x / 2)) / 2`: all gates go through one kernel.
    for row in totals.chunks_exact_mut(4 * size) {
        let (squashed, last) = row.split_at_mut(2 * size);
        squashed.iter_mut().chain(&mut last[size..]).for_each(|x| *x *= 0.5);
    }
    kernels::activate(totals, Activation::Tanh, 1);
    let squashed = |x: f32| 0.5 * x + 0.5;
    for (row, cells) in totals.chunks_exact(4 * size).zip(cells.chunks_exact_mut(size)) {
        let (input, rest) = row.split_at(size);
        for (((cell, input), forget), candidate) in cells.iter_mut().zip(input).zip(rest).zip(&rest[size..]) {
            *cell = squashed(*forget) * *cell + squashed(*input) * candidate;
        }
    }
    states.copy_from_slice(cells);
    kernels::activate(states, Activation::Tanh, 1);
    for (row, states) in totals.chunks_exact(4 * size).zip(states.chunks_exact_mut(size)) {
        states.iter_mut().zip(&row[3 * size..]).for_each(|(state, output)| *state *= squashed(*output));
    }
}
