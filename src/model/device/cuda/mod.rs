//! An NVIDIA GPU, whose libraries are looked for only when it is asked for.
//!
//! candle declares CUDA's functions as those of shared libraries, so that its programs start only where these are
//! installed. On Linux the functions stand here instead: each jumps to where a table says, the tables are filled
//! from the libraries by [`load`], and the program needs none of them to start. (The linker takes what it has
//! already, and leaves out libraries that nothing asks for. A function that is missing in the lists below brings
//! its library back as one that the program needs: `scripts/build-cuda.sh` looks.)
//!
//! A library's user who computes on a GPU with candle alone must load a model on it, or try to, before.

use candle_core::cuda_backend::cudarc::driver::CudaContext;
use candle_core::{DType, Device, Tensor};

#[cfg(target_os = "linux")]
mod libraries;

/// Finds the GPU with this number and computes something on it.
///
/// # Errors
/// No driver, no library, no such GPU, or one that this build has no code for; in words that say what to do.
pub(super) fn find(number: usize) -> Result<Device, String> {
    const DRIVER: &str = "`nvidia-smi` lists the GPUs that the driver sees";
    #[cfg(target_os = "linux")]
    libraries::load()?;
    let count = CudaContext::device_count().map_err(|error| format!("the driver finds none: {error}; {DRIVER}"))?;
    if usize::try_from(count).is_ok_and(|count| number >= count) {
        return Err(format!("there is none of that number, only {count}, counted from 0; {DRIVER}"));
    }
    // A stream of its own, and not the one of each thread: batches come from several threads.
    let device =
        Device::new_cuda_with_stream(number).map_err(|error| format!("it does not answer: {error}; {DRIVER}"))?;
    let twice = |tensor: Tensor| tensor.affine(2.0, 0.0)?.to_vec1::<f32>();
    Tensor::ones(1, DType::F32, &device).and_then(twice).map_err(|error| {
        format!(
            "it cannot run what this program was built for: {error}; build with the GPU's own CUDA_COMPUTE_CAP, \
             and with a toolkit that is not newer than its driver"
        )
    })?;
    Ok(device)
}

/// Bytes of the device's memory that nobody has.
pub(super) fn free_memory(device: &Device) -> Option<usize> {
    let device = device.as_cuda_device().ok()?;
    let (free, _total) = device.cuda_stream().context().mem_get_info().ok()?;
    Some(free)
}
