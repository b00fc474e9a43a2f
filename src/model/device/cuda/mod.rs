//! An NVIDIA GPU, whose libraries are looked for only when it is asked for.
//!
//! candle declares CUDA's functions as those of shared libraries, so that its programs start only where these are
//! installed. On Linux the functions stand here instead: each jumps to where a table says, the tables are filled
//! from the libraries by [`load`], and the program needs none of them to start. (The linker takes what it has
//! already, and leaves out libraries that nothing asks for. A function that is missing in the lists below brings
//! its library back as one that the program needs: `scripts/build-cuda.sh` looks.)
//!
//! A library's user who computes on a GPU with candle alone must load a model on it, or try to, before.

use candle_core::cuda_backend::cudarc::driver::{CudaContext, DriverError, result, sys};
use candle_core::{DType, Device, Tensor};

use crate::backbones::layers;
use crate::error::is_out_of_memory;

#[cfg(target_os = "linux")]
mod libraries;

/// Finds the GPU with this number and computes something on it, in the type of layers, too.
///
/// # Errors
/// No driver, no library, no such GPU, or one that this build has no code for, or not in this type; in words that say
/// what to do.
pub(super) fn find(number: usize, dtype: DType) -> Result<Device, String> {
    const DRIVER: &str = "`nvidia-smi` lists the GPUs that the driver sees";
    #[cfg(target_os = "linux")]
    libraries::load()?;
    let count = CudaContext::device_count().map_err(|error| format!("the driver finds none: {error}; {DRIVER}"))?;
    if usize::try_from(count).is_ok_and(|count| number >= count) {
        return Err(format!("there is none of that number, only {count}, counted from 0; {DRIVER}"));
    }
    // A stream of its own, and not the one of each thread: batches come from several threads.
    let device = Device::new_cuda_with_stream(number)
        .map_err(|error| unless_full(&error, format!("it does not answer: {error}; {DRIVER}")))?;
    use_one_stream(&device).map_err(|error| format!("it does not answer: {error}; {DRIVER}"))?;
    compute(&device, DType::F32).map_err(|error| {
        let words = format!(
            "it cannot run what this program was built for: {error}; build with the GPU's own CUDA_COMPUTE_CAP, \
             and with a toolkit that is not newer than its driver"
        );
        unless_full(&error, words)
    })?;
    compute(&device, dtype).map_err(|error| {
        let name = dtype.as_str();
        let words = format!(
            "it cannot compute in {name}: {error}; --dtype f32 it can, and bf16 takes compute capability 8.0, of the GPU \
             and of CUDA_COMPUTE_CAP when the program was built"
        );
        unless_full(&error, words)
    })?;
    let kernels = layers::describe_cuda(&device, dtype);
    // A kernel that reads where nothing is leaves a GPU on which nothing runs any more.
    compute(&device, dtype).map_err(|error| {
        let words = format!(
            "it fails after {kernels}: {error}; with GLICLASS_KERNEL=candle it does without kernels of its own"
        );
        unless_full(&error, words)
    })?;
    Ok(device)
}

/// What these words say of an error, unless others have taken the GPU's memory.
fn unless_full(error: &candle_core::Error, words: String) -> String {
    if is_out_of_memory(error) { "its memory is full: `nvidia-smi` lists who has it".into() } else { words }
}

/// Leaves out what serves several streams, which makes short computations slower: events for each tensor and launch, and
/// memory that goes back to the driver whenever the stream is waited for. Half of what is free is left to what else takes
/// memory, such as cuBLAS and other processes.
fn use_one_stream(device: &Device) -> candle_core::Result<()> {
    let device = device.as_cuda_device()?;
    // SAFETY: all tensors of the device are made, used and freed in its only stream, in that order.
    unsafe { device.disable_event_tracking() };
    let kept = device.cuda_stream().context().mem_get_info().map_or(0, |(free, _)| free as u64 / 2);
    let keep = |number| -> Result<(), DriverError> {
        let mut threshold = kept;
        // SAFETY: the number is that of a device, the pool is its own, and this attribute is a number of 64 bits.
        unsafe {
            let pool = result::device::get_default_mem_pool(number)?;
            let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
            result::mem_pool::set_attribute(pool, attribute, (&raw mut threshold).cast())
        }
    };
    // A GPU without a pool gives all back at once, as before.
    let _ = keep(device.cuda_stream().context().cu_device());
    Ok(())
}

/// Computes something of each kind that layers do.
fn compute(device: &Device, dtype: DType) -> candle_core::Result<()> {
    let ones = Tensor::ones((2, 2), DType::F32, device)?.to_dtype(dtype)?;
    let rows = ones.index_select(&Tensor::new(&[1u32, 0], device)?, 0)?;
    let sums = rows.matmul(&ones)?.broadcast_add(&ones.get(0)?)?.affine(2.0, 0.0)?.exp()?;
    sums.to_dtype(DType::F32)?.to_vec2::<f32>().map(|_| ())
}

/// Bytes of the device's memory that the driver can give.
pub(super) fn free_memory(device: &Device) -> Option<usize> {
    let device = device.as_cuda_device().ok()?;
    let (free, _total) = device.cuda_stream().context().mem_get_info().ok()?;
    Some(free)
}
