//! Operations with a gradient over the kernels, for a model that learns on the processor. candle's own would compute
//! the same: on one thread, through copies of what is only turned, and in fresh memory at every step.
//!
//! Sums over rows are made in one order, however many threads share the work.

use candle_core::{DType, Result, Tensor};

use crate::checkpoint::values::{slice, with_values};
use crate::kernels;

mod attention;
mod dense;
mod elements;
mod gather;
mod norm;

pub(super) use attention::attention;
pub(super) use dense::dense;
pub(super) use elements::{activate, add, gate, mask, turn};
pub(super) use gather::gather;
pub(super) use norm::{layer_norm, rms_norm};

/// Whether these operations take a tensor.
pub(super) fn take(x: &Tensor) -> bool {
    kernels::enabled() && x.device().is_cpu() && x.dtype() == DType::F32
}

/// Threads of operations that are not told how many.
fn threads() -> usize {
    rayon::current_num_threads()
}

/// Runs `f` on the values of a tensor, row by row.
fn with<R>(x: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    with_values(&x.contiguous()?, f)
}

/// A copy of the values of a tensor.
fn copy(x: &Tensor) -> Result<Vec<f32>> {
    with(x, <[f32]>::to_vec)
}

/// A tensor of the shape of another one.
fn like(x: &Tensor, values: Vec<f32>) -> Result<Tensor> {
    Tensor::from_vec(values, x.dims(), x.device())
}
