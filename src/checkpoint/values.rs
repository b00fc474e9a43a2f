//! The values of tensors on the processor, where they lie.

use candle_core::{CpuStorage, Error, Layout, Result, Storage, Tensor};

/// The values of a contiguous f32 tensor.
///
/// # Errors
/// The tensor is of another kind.
pub fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => Err(refusal()),
    }
}

/// The same, to be changed.
///
/// # Errors
/// As [`slice()`].
pub fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => Err(refusal()),
    }
}

/// Runs `f` on the values of a contiguous f32 tensor on the processor.
///
/// # Errors
/// As [`slice()`].
pub fn with_values<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => slice(storage, layout).map(f),
        _ => Err(refusal()),
    }
}

fn refusal() -> Error {
    Error::Msg("expected contiguous f32 values on the processor".into())
}
