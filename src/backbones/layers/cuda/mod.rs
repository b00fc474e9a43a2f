//! The program's own kernels on NVIDIA GPUs: what they have in common.
//!
//! They take what needs no gradient. They were never seen on a GPU: each is tried on each GPU and type first, against
//! candle's operations, which stay where it fails.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use candle_core::cuda_backend::cudarc::driver::{CudaView, DeviceRepr, LaunchArgs, LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::{CudaDType, CudaStorage};
use candle_core::{DType, Device, DeviceLocation, Layout, Storage, StorageRef, Tensor, WithDType};

use super::attention;
use crate::error::Result;
use crate::kernels;

pub(super) mod elements;

/// Whether a kernel is used on a GPU in a type, or why not.
pub(super) type Verdict = std::result::Result<(), String>;

/// How layers in this type compute on this GPU, in words; kernels are tried where they were not yet.
pub(crate) fn describe(device: &Device, dtype: DType) -> String {
    let tried =
        [("attention", attention::cuda::verdict(device, dtype)), ("elements", elements::verdict(device, dtype))];
    let mut words = String::from("own kernels");
    for (name, verdict) in tried {
        if let Err(reason) = verdict {
            let _ = write!(words, ", but for {name} candle's operations ({reason})");
        }
    }
    words
}

/// What the trials of a kernel came to.
pub(super) struct Trials(Mutex<Vec<((DeviceLocation, DType), Verdict)>>);

impl Trials {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The verdict of the trial on this GPU in this type, which takes place once and says by how much the kernel is off;
    /// more than `tolerance` is too much.
    pub(super) fn verdict(
        &self,
        device: &Device,
        dtype: DType,
        tolerance: f32,
        off_by: impl FnOnce() -> Result<f32>,
    ) -> Verdict {
        let place = (device.location(), dtype);
        let mut verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, verdict)) = verdicts.iter().find(|(at, _)| *at == place) {
            return verdict.clone();
        }
        let verdict = if !kernels::enabled() {
            Err("asked for".to_owned())
        } else {
            match off_by() {
                Ok(difference) if difference <= tolerance => Ok(()),
                Ok(difference) => Err(format!("its own kernel is off by {difference:.1e}")),
                Err(error) => Err(error.to_string()),
            }
        };
        verdicts.push((place, verdict.clone()));
        verdict
    }
}

/// The largest difference of two elements; what is no number is no agreement.
pub(super) fn difference(own: &Tensor, exact: &Tensor) -> Result<f32> {
    let differences = (own.to_dtype(DType::F32)? - exact)?.abs()?.flatten_all()?.to_vec1::<f32>()?;
    let worse = |worst: f32, difference: f32| if difference.is_nan() { f32::INFINITY } else { difference.max(worst) };
    Ok(differences.into_iter().fold(0.0, worse))
}

/// What kernels are compiled for.
pub(super) trait Number: CudaDType + DeviceRepr + WithDType {}

impl Number for f32 {}
impl Number for half::f16 {}
impl Number for half::bf16 {}

/// The storage of an operand, held while a kernel is launched.
pub(super) type Held<'a> = Option<(StorageRef<'a>, &'a Layout)>;

pub(super) fn hold(operand: Option<&Tensor>) -> Held<'_> {
    operand.map(Tensor::storage_and_layout)
}

/// The numbers of an operand, which has no gaps.
pub(super) fn held<'a, T: CudaDType>(operand: &'a Held<'_>) -> candle_core::Result<Option<CudaView<'a, T>>> {
    let view = |(storage, layout): &'a (StorageRef<'_>, &Layout)| match (&**storage, layout.contiguous_offsets()) {
        (Storage::Cuda(storage), Some((start, end))) => Ok(storage.as_cuda_slice::<T>()?.slice(start..end)),
        _ => candle_core::bail!("an operand with gaps or on another device: this is a bug"),
    };
    operand.as_ref().map(view).transpose()
}

/// The numbers of a matrix from its first on, and how many there are from one row to the next.
pub(super) fn rows<'a, T: CudaDType>(
    (storage, layout): (&'a CudaStorage, &Layout),
) -> candle_core::Result<(CudaView<'a, T>, u32)> {
    let &[stride, 1] = layout.stride() else { candle_core::bail!("an operand with gaps in its rows: this is a bug") };
    Ok((storage.as_cuda_slice::<T>()?.slice(layout.start_offset()..), stride as u32))
}

/// An operand, or a null pointer.
pub(super) fn push<'a, T>(arguments: &mut LaunchArgs<'a>, operand: Option<&'a CudaView<'_, T>>) {
    static NULL: u64 = 0;
    match operand {
        Some(operand) => arguments.arg(operand),
        None => arguments.arg(&NULL),
    };
}

/// `columns` by `rows` blocks of `threads`.
pub(super) fn grid(columns: usize, rows: usize, threads: u32) -> LaunchConfig {
    let grid_dim = (columns as u32, rows as u32, 1);
    LaunchConfig { grid_dim, block_dim: (threads, 1, 1), shared_mem_bytes: 0 }
}
