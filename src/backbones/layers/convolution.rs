//! A convolution over neighbouring tokens.

use candle_core::Tensor;

use super::{Activation, Derived, Dropout, Linear, kernels_hold, matrix, with_values};
use crate::backbones::Sequences;
use crate::checkpoint::Weights;
use crate::error::Result;

/// `activation(convolution)` along each sequence, with zeros beyond its ends.
pub struct Convolution {
    taps: usize,
    hidden: usize,
    activation: Activation,
    /// Before the activation.
    dropout: Dropout,
    way: Way,
}

enum Way {
    /// A dense layer over `taps` neighbouring rows side by side.
    Kernels(Linear),
    /// For each group of columns a kernel `(outputs, taps * inputs)`.
    Tensors { kernels: Vec<Derived>, bias: Tensor },
}

impl Convolution {
    /// Loads `weight` `(hidden, hidden / groups, taps)` and `bias`; `taps` is odd.
    ///
    /// # Errors
    /// Settings that exclude each other; a missing tensor or one of another shape.
    pub fn load(weights: &Weights, hidden: usize, taps: usize, groups: usize, activation: Activation) -> Result<Self> {
        if groups == 0 || !hidden.is_multiple_of(groups) || taps.is_multiple_of(2) {
            return Err(weights.setting_error(format!(
                "conv_groups {groups} must divide hidden_size {hidden}, and conv_kernel_size {taps} must be odd"
            )));
        }
        let inputs = hidden / groups;
        let shape = [hidden, inputs, taps];
        if kernels_hold(weights) {
            let dense = widened(&weights.vec("weight", &shape)?, hidden, inputs, taps);
            let bias = weights.vec("bias", &[hidden])?;
            let way = Way::Kernels(Linear::new(&dense, bias, taps * hidden, hidden, weights));
            return Ok(Self { taps, hidden, activation, dropout: Dropout::default(), way });
        }
        let kernel = weights.tensor("weight", &shape)?;
        let kernels = (0..groups).map(|group| {
            let kernel = kernel.clone();
            Derived::new(weights, move || {
                let kernel = kernel.narrow(0, group * inputs, inputs)?.transpose(1, 2)?.contiguous()?;
                Ok(kernel.reshape((inputs, taps * inputs))?)
            })
        });
        let way = Way::Tensors { kernels: kernels.collect::<Result<_>>()?, bias: weights.tensor("bias", &[hidden])? };
        Ok(Self { taps, hidden, activation, dropout: Dropout::default(), way })
    }

    /// The same, where a share of what the activation reads is left out while the model learns.
    pub fn dropping(self, dropout: Dropout) -> Self {
        Self { dropout, ..self }
    }

    /// `(tokens, hidden)` to the same shape.
    ///
    /// # Errors
    /// The width is another one.
    pub fn forward(&self, x: &Tensor, sequences: &Sequences) -> Result<Tensor> {
        let width = self.taps * self.hidden;
        match &self.way {
            Way::Kernels(linear) => {
                let neighbours = matrix(with_values(x, |x| self.neighbours(x, sequences))?, width)?;
                linear.forward_activated(&neighbours, self.activation, sequences.threads)
            }
            Way::Tensors { kernels, bias } => {
                let (tokens, hidden) = x.dims2()?;
                // Places beyond a sequence take a row of zeros.
                let padded = x.pad_with_zeros(0, 0, 1)?;
                let places =
                    Tensor::from_iter(self.places(sequences).map(|at| at.unwrap_or(tokens) as u32), x.device())?;
                let neighbours = padded.index_select(&places, 0)?.reshape((tokens, self.taps, hidden))?;
                let inputs = hidden / kernels.len();
                let outputs = kernels.iter().enumerate().map(|(group, kernel)| {
                    let columns = neighbours.narrow(2, group * inputs, inputs)?.contiguous()?;
                    Ok(columns.reshape((tokens, self.taps * inputs))?.matmul(&kernel.get()?.t()?)?)
                });
                let outputs = Tensor::cat(&outputs.collect::<Result<Vec<_>>>()?, 1)?;
                self.activation.forward(&self.dropout.forward(&outputs.broadcast_add(bias)?)?)
            }
        }
    }

    /// The token under each tap at each token; none beyond the sequence.
    fn places(&self, sequences: &Sequences) -> impl Iterator<Item = Option<usize>> {
        let (taps, reach) = (self.taps, self.taps / 2);
        sequences.ranges().flat_map(move |range| {
            range.clone().flat_map(move |token| {
                let range = range.clone();
                (0..taps).map(move |tap| (token + tap).checked_sub(reach).filter(|at| range.contains(at)))
            })
        })
    }

    /// Each row with its neighbours before and after: `(tokens, taps * hidden)`.
    fn neighbours(&self, x: &[f32], sequences: &Sequences) -> Vec<f32> {
        let hidden = self.hidden;
        let mut out = vec![0.0; sequences.tokens() * self.taps * hidden];
        for (place, out) in self.places(sequences).zip(out.chunks_exact_mut(hidden)) {
            if let Some(at) = place {
                out.copy_from_slice(&x[at * hidden..(at + 1) * hidden]);
            }
        }
        out
    }
}

/// The kernel as a dense layer over `taps` neighbouring rows side by side; other groups' inputs have no weight.
fn widened(kernel: &[f32], hidden: usize, inputs: usize, taps: usize) -> Vec<f32> {
    let mut dense = vec![0.0; hidden * taps * hidden];
    for (out, row) in kernel.chunks_exact(inputs * taps).enumerate() {
        let first = out / inputs * inputs;
        for (at, &value) in row.iter().enumerate() {
            let (input, tap) = (at / taps, at % taps);
            dense[(out * taps + tap) * hidden + first + input] = value;
        }
    }
    dense
}
