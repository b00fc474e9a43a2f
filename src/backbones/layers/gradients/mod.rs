//! Operations with a gradient over the kernels, for a model that learns on the processor. candle's own would compute
//! the same: on one thread, through copies of what is only turned, and in fresh memory at every step.
//!
//! Sums over rows are made in one order, however many threads share the work.

use candle_core::{CpuStorage, Error, Layout, Result};

/// The values of a contiguous f32 tensor.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => Err(Error::Msg("expected contiguous f32 values on the processor".into())),
    }
}
