//! Where a token stands in its sequence: learned tables and rotary angles.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use candle_core::{CpuStorage, DType, Device, InplaceOp1, Layout, Tensor};

#[cfg(feature = "cuda")]
use super::cuda::elements;
use super::{detach_rows, get_or_make, gradients, kernels_hold, kernels_take, matrix, with_values};
use crate::backbones::Sequences;
use crate::backbones::rope::Turning;
use crate::checkpoint::Weights;
use crate::checkpoint::values::slice_mut;
use crate::error::{Error, Result};
use crate::kernels;

/// Learned absolute positions, counted from an offset.
pub struct PositionTable {
    /// Rows before that of the first position.
    offset: usize,
    /// The token that has no position: its own id is its row, and those behind it are counted without it.
    padding: Option<u32>,
    positions: usize,
    width: usize,
    way: Way,
}

enum Way {
    /// All rows.
    Kernels(Vec<f32>),
    /// All rows, and the row that is added to each of them.
    Tensors(Tensor, Option<Tensor>),
}

impl PositionTable {
    /// Loads `weight` `(positions, width)`; the first position of a sequence is row `offset`.
    ///
    /// # Errors
    /// A missing tensor or one of another shape.
    pub fn load(weights: &Weights, positions: usize, width: usize, offset: usize) -> Result<Self> {
        let offset = offset.min(positions);
        let shape = [positions, width];
        let way = if kernels_hold(weights) {
            Way::Kernels(weights.vec("weight", &shape)?)
        } else {
            Way::Tensors(weights.tensor("weight", &shape)?, None)
        };
        Ok(Self { offset, padding: None, positions: positions - offset, width, way })
    }

    /// Loads `weight` `(positions, width)`, of which the rows behind that of the token `padding` are positions, and that
    /// row is the one of all such tokens, be they padding or text.
    ///
    /// Source: `create_position_ids_from_input_ids` of `modeling_roberta.py` of transformers.
    ///
    /// # Errors
    /// As [`PositionTable::load`].
    pub fn load_without(weights: &Weights, positions: usize, width: usize, padding: u32) -> Result<Self> {
        let table = Self::load(weights, positions, width, padding as usize + 1)?;
        Ok(Self { padding: Some(padding), ..table })
    }

    /// Adds the first row of another table to every position: the token type of a single sequence.
    ///
    /// # Errors
    /// A missing tensor or one of another width.
    pub fn add_first_row(&mut self, weights: &Weights) -> Result<()> {
        let kinds = weights.stored("weight")?.shape().first().copied().unwrap_or(0);
        let shape = [kinds, self.width];
        match &mut self.way {
            Way::Kernels(rows) => {
                let mut first = vec![0.0; self.width];
                weights.shaped("weight", &shape)?.read(0, &mut first);
                rows.chunks_exact_mut(self.width).for_each(|row| add(row, &first));
            }
            Way::Tensors(_, first) => *first = Some(weights.tensor("weight", &shape)?.narrow(0, 0, 1)?),
        }
        Ok(())
    }

    /// How many positions there are.
    #[allow(clippy::len_without_is_empty)] // a model without positions has no table
    pub fn len(&self) -> usize {
        self.positions
    }

    /// `x` `(tokens, width)` plus the position of each token in its sequence.
    ///
    /// # Errors
    /// A sequence is longer than the table.
    pub fn add_to(&self, x: &Tensor, sequences: &Sequences) -> Result<Tensor> {
        if let Some(range) = sequences.ranges().find(|range| range.len() > self.len()) {
            return Err(Error::Record(format!("{} tokens, but the model has {} positions", range.len(), self.len())));
        }
        match &self.way {
            Way::Kernels(table) => {
                let mut out = with_values(x, <[f32]>::to_vec)?;
                for (x, row) in out.chunks_exact_mut(self.width).zip(self.rows(sequences)) {
                    add(x, &table[row as usize * self.width..]);
                }
                matrix(out, self.width)
            }
            Way::Tensors(table, first) => {
                let rows = self.rows(sequences);
                let sum = if gradients::take(table) {
                    let unplaced: Vec<usize> = (0..rows.len()).filter(|&at| Some(rows[at]) == self.padding).collect();
                    let mut positions = gradients::gather(table, rows)?;
                    if !unplaced.is_empty() {
                        // As in the reference, that row never changes (`padding_idx`).
                        positions = detach_rows(&positions, unplaced.into_iter())?;
                    }
                    gradients::add(x, &positions, None)?
                } else {
                    (x + table.index_select(&Tensor::new(rows, x.device())?, 0)?)?
                };
                Ok(match first {
                    Some(first) => sum.broadcast_add(first)?,
                    None => sum,
                })
            }
        }
    }

    /// The row of the table for each token.
    fn rows(&self, sequences: &Sequences) -> Vec<u32> {
        let mut rows = Vec::with_capacity(sequences.tokens());
        for range in sequences.ranges() {
            let mut next = self.offset as u32;
            rows.extend(range.map(|token| match (self.padding, &sequences.ids) {
                (Some(padding), Some(ids)) if ids[token] == padding => padding,
                _ => {
                    next += 1;
                    next - 1
                }
            }));
        }
        rows
    }
}

fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// What changes the values of a contiguous f32 tensor on the processor where they are.
struct InPlace<F>(F);

impl<F: Fn(&mut [f32])> InplaceOp1 for InPlace<F> {
    fn name(&self) -> &'static str {
        "in place"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        slice_mut(storage, layout).map(&self.0)
    }
}

/// Rotary positions on the queries and keys of a joined `(tokens, 3 * hidden)` matrix.
///
/// Source: `apply_rotary_pos_emb` of transformers: the two halves of a head turn together.
pub struct Rotary {
    /// Cosines and sines, `(positions, head_dim / 2)`.
    angles: [Vec<f32>; 2],
    half: usize,
    heads: usize,
    positions: usize,
    /// The same on the device where it was first used.
    tensors: OnceLock<[Tensor; 2]>,
}

/// Rotary positions of sequences of any length: made for the longest one so far, not for all that a config allows.
pub struct Rotations {
    turning: Turning,
    heads: usize,
    made: RwLock<Arc<Rotary>>,
}

impl Rotations {
    /// As [`Rotary::new`].
    pub fn new(turning: Turning, heads: usize) -> Self {
        let made = RwLock::new(Arc::new(Rotary::new(&turning, heads, 0)));
        Self { turning, heads, made }
    }

    /// Angles for all positions of these sequences.
    pub fn for_sequences(&self, sequences: &Sequences) -> Arc<Rotary> {
        let longest = sequences.ranges().map(|range| range.len()).max().unwrap_or(0);
        let known = Arc::clone(&self.made.read().unwrap_or_else(PoisonError::into_inner));
        if longest <= known.positions {
            return known;
        }
        // More than are wanted, so that the next longer ones do not all make them anew.
        let positions = longest.next_power_of_two();
        let made = Arc::new(Rotary::new(&self.turning, self.heads, positions));
        let mut longest_made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        // Another worker may have made more meanwhile.
        if longest_made.positions < positions {
            *longest_made = Arc::clone(&made);
        }
        made
    }
}

impl Rotary {
    /// Angles `position * frequency` of so many positions.
    pub fn new(turning: &Turning, heads: usize, positions: usize) -> Self {
        let Turning { frequencies, scale } = turning;
        let half = frequencies.len();
        let angles = || (0..positions).flat_map(|p| frequencies.iter().map(move |f| p as f32 * f));
        let tensors = OnceLock::new();
        let (cos, sin) = (angles().map(|angle| angle.cos() * scale), angles().map(|angle| angle.sin() * scale));
        Self { angles: [cos.collect(), sin.collect()], half, heads, positions, tensors }
    }

    /// Turns queries and keys by their positions; values stay. The memory of `x` may become that of the result.
    ///
    /// # Errors
    /// `x` is no matrix.
    pub fn forward(self: &Arc<Self>, x: Tensor, sequences: &Sequences) -> Result<Tensor> {
        let (_, width) = x.dims2()?;
        let positions = || sequences.ranges().flat_map(|range| 0..range.len()).collect::<Vec<_>>();
        if kernels_take(&x) {
            let positions = positions();
            x.inplace_op1(&InPlace(|x: &mut [f32]| self.turn(x, &positions, 1.0, sequences.threads)))?;
            return Ok(x);
        }
        if gradients::take(&x) {
            return Ok(gradients::turn(&x, Arc::clone(self), positions())?);
        }
        #[cfg(feature = "cuda")]
        if self.turn_by_own_kernel(&x, sequences)? {
            return Ok(x);
        }
        self.turn_tensors(&x, width, sequences)
    }

    /// Turns the queries and keys of rows of these positions; there with a `sign` of 1, and back with -1.
    pub(super) fn turn(&self, x: &mut [f32], positions: &[usize], sign: f32, threads: usize) {
        let angles = self.angles.each_ref().map(Vec::as_slice);
        let turn = kernels::Rotation { heads: 2 * self.heads, half: self.half, angles, sign };
        kernels::rotate(x, positions, turn, threads);
    }

    /// False where that is left to candle's operations.
    #[cfg(feature = "cuda")]
    fn turn_by_own_kernel(&self, x: &Tensor, sequences: &Sequences) -> Result<bool> {
        if !elements::take(x) || !x.is_contiguous() {
            return Ok(false);
        }
        let [cos, sin] = self.tensors(x.device(), DType::F32)?;
        let positions = &sequences.packing(x.device())?.positions;
        let turn = elements::Turn { positions, angles: [cos, sin], heads: 2 * self.heads, half: self.half };
        elements::turn(x, turn)?;
        Ok(true)
    }

    fn turn_tensors(&self, x: &Tensor, width: usize, sequences: &Sequences) -> Result<Tensor> {
        let tokens = sequences.tokens();
        let turned = width / 3 * 2;
        let positions = &sequences.packing(x.device())?.positions;
        let [cos, sin] = self.tensors(x.device(), x.dtype())?;
        let angle = |table: &Tensor| table.index_select(positions, 0)?.unsqueeze(1);
        let (cos, sin) = (angle(cos)?, angle(sin)?);
        let heads = x.narrow(1, 0, turned)?.contiguous()?.reshape((tokens, 2 * self.heads, 2 * self.half))?;
        let (a, b) = (heads.narrow(2, 0, self.half)?, heads.narrow(2, self.half, self.half)?);
        let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
        let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
        let heads = Tensor::cat(&[first, second], 2)?.reshape((tokens, turned))?;
        Ok(Tensor::cat(&[&heads, &x.narrow(1, turned, width - turned)?], 1)?)
    }

    fn tensors(&self, device: &Device, dtype: DType) -> Result<&[Tensor; 2]> {
        let tensor = |values: &[f32]| {
            Tensor::from_slice(values, (values.len() / self.half, self.half), &Device::Cpu)?
                .to_dtype(dtype)?
                .to_device(device)
        };
        get_or_make(&self.tensors, || Ok([tensor(&self.angles[0])?, tensor(&self.angles[1])?]))
    }
}
