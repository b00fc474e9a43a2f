//! The operations that backbones and heads are made of. This is the one place that decides how an
//! operation runs:
//!
//! - on the kernels, which write every row with the same operations in the same order whatever stands
//!   beside it: constants on the processor. Between operations they speak f32;
//! - with candle's tensor operations on another device, or where gradients are wanted: those of f32 on the processor
//!   carry their own way back over the kernels. On an NVIDIA GPU attention, and what stands between products, have
//!   kernels of their own, once these were tried.
//!
//! A layer with weights decides when it is loaded, an operation without weights by the tensor it is given.

use std::sync::OnceLock;

use candle_core::{DType, Device, Tensor};

use crate::checkpoint::Weights;
use crate::checkpoint::values::with_values;
use crate::error::Result;
use crate::kernels;

mod activation;
mod attention;
mod convolution;
#[cfg(feature = "cuda")]
mod cuda;
mod dropout;
mod embedding;
mod gated;
mod gradients;
mod linear;
mod norm;
mod packed;
mod pairs;
mod pooling;
mod positions;
mod recurrence;
mod rows;
#[cfg(test)]
mod tests;

pub use activation::{Activation, sigmoid};
pub use attention::{Attention, Bias, Disentangled, DistanceVectors, Distances, RelativeBias};
pub use convolution::Convolution;
#[cfg(feature = "cuda")]
pub(crate) use cuda::describe as describe_cuda;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use gated::GatedLinear;
pub use linear::Linear;
pub use norm::{LayerNorm, RmsNorm};
pub(crate) use packed::Packing;
pub use pairs::Pairs;
pub use pooling::{Span, pool};
pub use positions::{PositionTable, Rotary, Rotations};
pub use recurrence::Recurrence;
pub use rows::{
    clear_padding, detach_rows, dot_rows, normalize, read_rows, replace_rows, select_ranges, select_rows,
    softmax_within, values, weighted_sum,
};

/// Whether layers with these weights run on the kernels: constants on the processor that no gradient passes.
fn kernels_hold(weights: &Weights) -> bool {
    kernels::enabled() && weights.device().is_cpu() && !weights.learn()
}

/// Whether an operation on this tensor runs on the kernels.
fn kernels_take(x: &Tensor) -> bool {
    kernels::enabled() && x.dtype() == DType::F32 && x.device().is_cpu() && !x.track_op()
}

/// A tensor of the checkpoint as the operations with these weights take it.
///
/// # Errors
/// It is missing, or has another shape.
pub fn parameter(weights: &Weights, name: &str, shape: &[usize]) -> Result<Tensor> {
    if kernels_hold(weights) {
        return Ok(Tensor::from_vec(weights.vec(name, shape)?, shape, &Device::Cpu)?);
    }
    weights.tensor(name, shape)
}

/// A matrix `(values.len() / width, width)` on the processor.
///
/// # Errors
/// The values do not fill whole rows.
pub fn matrix(values: Vec<f32>, width: usize) -> Result<Tensor> {
    let rows = values.len() / width.max(1);
    Ok(Tensor::from_vec(values, (rows, width), &Device::Cpu)?)
}

/// What is in `cell`, made first where nothing is.
///
/// # Errors
/// It could not be made.
pub(super) fn get_or_make<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}

/// A tensor made of those of the checkpoint: once, or at every use where the model learns, so that it
/// follows their values and gradients reach them.
enum Derived {
    Made(Tensor),
    Fresh(Box<dyn Fn() -> Result<Tensor> + Send + Sync>),
}

impl Derived {
    fn new(weights: &Weights, make: impl Fn() -> Result<Tensor> + Send + Sync + 'static) -> Result<Self> {
        if weights.learn() { Ok(Self::Fresh(Box::new(make))) } else { make().map(Self::Made) }
    }

    fn get(&self) -> Result<Tensor> {
        match self {
            Self::Made(tensor) => Ok(tensor.clone()),
            Self::Fresh(make) => make(),
        }
    }
}
