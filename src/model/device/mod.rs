//! Where a model computes, and in which type.

use candle_core::{DType, Device as Hardware};

use super::Precision;
#[cfg(feature = "cuda")]
use crate::backbones::layers;
use crate::error::{Error, Result};
use crate::kernels;

#[cfg(feature = "cuda")]
mod cuda;

/// Tokens of a batch on a GPU: some gigabytes of activations, and more would not be faster.
const MOST_BATCH_TOKENS: usize = 1 << 14;

/// Tokens of a batch where there is hardly any memory; what does not fit is halved.
const LEAST_BATCH_TOKENS: usize = 1 << 10;

/// Bytes that a token takes in a large encoder in float32: sixteen heads over a thousand tokens, before and after
/// the softmax, and the widest layer.
const TOKEN_BYTES: usize = 1 << 18;

/// The device that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// A GPU that this build can use, where there is one; else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The NVIDIA GPU with this number.
    Cuda(usize),
    /// The GPU of a Mac.
    Metal,
}

/// What a wish came to.
pub(super) struct Place {
    pub(super) hardware: Hardware,
    /// The arithmetic of the encoder.
    pub(super) dtype: DType,
    /// What computes, for people.
    name: String,
    /// What is said behind the arithmetic.
    more: String,
}

impl Place {
    /// Finds the device and how it computes.
    ///
    /// # Errors
    /// The device is not there, or this build cannot use it.
    pub(super) fn find(wish: Device, precision: Precision) -> Result<Self> {
        let mut without = String::new();
        let dtype = match precision {
            Precision::Auto | Precision::F32 => DType::F32,
            Precision::Bf16 | Precision::Int8 => DType::BF16,
            Precision::F16 => DType::F16,
        };
        let hardware = match wish {
            Device::Cpu => Hardware::Cpu,
            Device::Cuda(number) => cuda(number, dtype)?,
            Device::Metal => metal()?,
            Device::Auto => {
                let not_found = |error| {
                    if cfg!(feature = "cuda") {
                        without = format!("; {error}");
                    }
                    metal()
                };
                cuda(0, dtype).or_else(not_found).unwrap_or(Hardware::Cpu)
            }
        };
        let isa = kernels::isa().map_err(Error::Usage)?;
        if runs_kernels(&hardware) {
            let dtype = if precision.on_kernels(false) == kernels::Precision::Bf16 { DType::BF16 } else { DType::F32 };
            let name = format!("processor, kernels: {}", isa.name());
            return Ok(Self { hardware, dtype, name, more: without });
        }
        let name = match &hardware {
            Hardware::Cpu => "processor without kernels",
            Hardware::Cuda(_) => "CUDA GPU",
            Hardware::Metal(_) => "Metal GPU",
        };
        let kernels = kernels_of(&hardware, dtype);
        Ok(Self { hardware, dtype, name: name.to_owned(), more: format!("{kernels}{without}") })
    }

    /// The device and the arithmetic for people; the kernels multiply as `products` says.
    pub(super) fn describe(&self, products: kernels::Precision) -> String {
        let Self { hardware, dtype, name, more } = self;
        let arithmetic = if runs_kernels(hardware) { kernels::arithmetic(products) } else { dtype.as_str() };
        format!("{name}, arithmetic: {arithmetic}{more}")
    }
}

fn runs_kernels(hardware: &Hardware) -> bool {
    hardware.is_cpu() && kernels::enabled()
}

/// Tokens of a batch on a device on which a model was just loaded; none on a processor, which has no need of many.
pub(super) fn batch_tokens(hardware: &Hardware) -> Option<usize> {
    if hardware.is_cpu() {
        return None;
    }
    Some(free_memory(hardware).map_or(MOST_BATCH_TOKENS, fitting_tokens))
}

/// Half of the memory is left to what is not counted.
fn fitting_tokens(free: usize) -> usize {
    (free / 2 / TOKEN_BYTES).clamp(LEAST_BATCH_TOKENS, MOST_BATCH_TOKENS)
}

#[cfg(feature = "cuda")]
fn free_memory(hardware: &Hardware) -> Option<usize> {
    cuda::free_memory(hardware)
}

#[cfg(not(feature = "cuda"))]
fn free_memory(_: &Hardware) -> Option<usize> {
    None
}

/// Which kernels run, where there is a choice.
#[cfg(feature = "cuda")]
fn kernels_of(hardware: &Hardware, dtype: DType) -> String {
    match hardware {
        Hardware::Cuda(_) => format!(", {}", layers::describe_cuda(hardware, dtype)),
        _ => String::new(),
    }
}

#[cfg(not(feature = "cuda"))]
fn kernels_of(_: &Hardware, _: DType) -> &'static str {
    ""
}

/// The NVIDIA GPU with this number, for layers of this type.
#[cfg(feature = "cuda")]
fn cuda(number: usize, dtype: DType) -> Result<Hardware> {
    cuda::find(number, dtype)
        .map_err(|reason| Error::Usage(format!("CUDA GPU {number}: {reason}. --device cpu computes on the processor")))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: usize, _: DType) -> Result<Hardware> {
    Err(not_built("cuda"))
}

/// The GPU of a Mac.
#[cfg(feature = "metal")]
fn metal() -> Result<Hardware> {
    Hardware::new_metal(0).map_err(|error| {
        Error::Usage(format!("the Metal GPU does not answer: {error}; --device cpu computes on the processor"))
    })
}

#[cfg(not(feature = "metal"))]
fn metal() -> Result<Hardware> {
    Err(not_built("metal"))
}

#[cfg(not(all(feature = "cuda", feature = "metal")))]
fn not_built(feature: &str) -> Error {
    Error::Usage(format!(
        "this build cannot compute on a {feature} device: use --device cpu, or build with `--features {feature}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_device_that_this_build_cannot_use_is_refused_and_auto_takes_another() {
        let error = Place::find(Device::Cuda(1), Precision::Auto).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("--features cuda") && error.contains("--device cpu")));
        assert!(Place::find(Device::Auto, Precision::Auto).is_ok());
    }

    #[test]
    #[cfg(feature = "cuda")]
    fn a_gpu_that_is_not_there_is_refused_with_a_way_out_and_auto_takes_the_processor() {
        let error = Place::find(Device::Cuda(99), Precision::Auto).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.starts_with("CUDA GPU 99: ") && error.contains("--device cpu")));
        assert!(Place::find(Device::Auto, Precision::Auto).is_ok());
    }

    #[test]
    fn batches_on_a_gpu_fill_half_of_its_memory_within_bounds() {
        let gib = |count: usize| count << 30;
        assert_eq!([0, gib(1), gib(4), gib(80)].map(fitting_tokens), [1 << 10, 1 << 11, 1 << 13, 1 << 14]);
        assert_eq!(batch_tokens(&Hardware::Cpu), None);
    }

    #[test]
    fn a_model_that_magnifies_rounding_multiplies_in_f32_unless_it_is_told_otherwise() {
        let [exact, short] = [Precision::Auto, Precision::Bf16].map(|precision| precision.on_kernels(true));
        assert_eq!((exact, short), (kernels::Precision::F32, kernels::Precision::Bf16));
        assert_eq!(Precision::Auto.on_kernels(false), kernels::Precision::Split);
    }

    #[test]
    fn the_processor_takes_short_products_when_asked() {
        let dtype = |precision| Place::find(Device::Cpu, precision).map(|place| place.dtype).ok();
        assert_eq!(dtype(Precision::Bf16), Some(DType::BF16));
        assert_eq!(dtype(Precision::Auto), Some(DType::F32));
        // The weights are rounded to bytes from f32.
        assert_eq!(dtype(Precision::Int8), Some(DType::F32));
    }
}
