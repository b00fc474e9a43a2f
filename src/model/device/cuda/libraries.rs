//! The functions of CUDA's libraries that candle calls, and where they really are.

use std::error::Error as _;
use std::ffi::{CStr, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use libloading::Library;

/// Functions of one library: each jumps to where `$table` says; before it is filled they all answer `$answer`.
macro_rules! functions {
    ($module:ident, $table:ident, $names:ident, $answer:literal, [$($name:ident)*]) => {
        #[allow(non_camel_case_types)]
        mod $module {
            #[allow(clippy::enum_variant_names)]
            pub(super) enum Number { $($name),* }
        }

        const $names: [&CStr; [$(stringify!($name)),*].len()] = [
            $(match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => panic!("a name holds no zero"),
            }),*
        ];

        static $table: [AtomicPtr<c_void>; $names.len()] = {
            extern "C" fn absent() -> usize {
                $answer
            }
            [const { AtomicPtr::new(absent as *mut c_void) }; $names.len()]
        };

        $(
            /// A jump: arguments and answer are those of the library's function. Hidden from the libraries, whose own
            /// calls must not come here: cuRAND 13 calls the runtime library, and LLD exports what a library has, too.
            // SAFETY: nothing else in the program has this name; the jump leaves registers and stack as they are
            // (but for the one that calls between libraries may change), and leads to a function of the same
            // signature or to one that takes nothing.
            #[allow(non_snake_case)]
            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            extern "C" fn $name() {
                #[cfg(target_arch = "x86_64")]
                std::arch::naked_asm!(
                    concat!(".hidden ", stringify!($name)),
                    "jmp qword ptr [rip + {table} + {offset}]",
                    table = sym $table,
                    offset = const size_of::<usize>() * $module::Number::$name as usize,
                );
                #[cfg(target_arch = "aarch64")]
                std::arch::naked_asm!(
                    concat!(".hidden ", stringify!($name)),
                    "adrp x16, {table}",
                    "add x16, x16, :lo12:{table}",
                    "ldr x16, [x16, #{offset}]",
                    "br x16",
                    table = sym $table,
                    offset = const size_of::<usize>() * $module::Number::$name as usize,
                );
            }
        )*
    };
}

// CUDA_ERROR_NOT_INITIALIZED.
functions!(driver, DRIVER, DRIVER_NAMES, 3, [
    cuCtxDestroy_v2 cuCtxGetCurrent cuCtxSetCurrent cuCtxSynchronize cuDeviceGet cuDeviceGetAttribute cuDeviceGetCount
    cuDeviceGetDefaultMemPool cuDevicePrimaryCtxRelease_v2 cuDevicePrimaryCtxRetain cuEventCreate cuEventDestroy_v2
    cuEventRecord cuGetErrorName cuGetErrorString cuInit cuLaunchKernel cuMemAllocAsync cuMemAlloc_v2 cuMemFreeAsync
    cuMemFree_v2 cuMemGetInfo_v2 cuMemPoolSetAttribute cuMemcpyDtoDAsync_v2 cuMemcpyDtoHAsync_v2 cuMemcpyHtoDAsync_v2
    cuMemcpyPeerAsync cuMemsetD8Async cuModuleGetFunction cuModuleLoad cuModuleLoadData cuModuleUnload cuStreamCreate
    cuStreamDestroy_v2 cuStreamIsCapturing cuStreamSynchronize cuStreamWaitEvent
]);

// CUBLAS_STATUS_NOT_INITIALIZED.
functions!(cublas, CUBLAS, CUBLAS_NAMES, 1, [
    cublasCreate_v2 cublasDestroy_v2 cublasDgemmStridedBatched cublasGemmStridedBatchedEx cublasSetStream_v2
]);

// CURAND_STATUS_NOT_INITIALIZED.
functions!(curand, CURAND, CURAND_NAMES, 101, [
    curandCreateGenerator curandDestroyGenerator curandGenerateNormal curandGenerateNormalDouble curandGenerateUniform
    curandGenerateUniformDouble curandSetPseudoRandomGeneratorSeed curandSetStream
]);

// The runtime library is asked for only by candle's kernels for quantized models, which never run here. They
// register when the program starts, and get no answer. cudaErrorInitializationError.
functions!(runtime, RUNTIME, RUNTIME_NAMES, 3, [
    __cudaGetKernel __cudaLaunchKernel __cudaLaunchKernel_ptsz __cudaPopCallConfiguration __cudaPushCallConfiguration
    cudaDeviceGetAttribute cudaFree cudaFreeAsync_ptsz cudaFuncGetAttributes cudaFuncSetAttribute cudaGetDevice
    cudaGetDeviceCount cudaGetLastError cudaLaunchKernel_ptsz cudaMalloc cudaMallocAsync_ptsz cudaMemsetAsync_ptsz
    cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags cudaPeekAtLastError cudaSetDevice cudaStreamSynchronize_ptsz
]);
functions!(registry, REGISTRY, REGISTRY_NAMES, 0, [
    __cudaInitModule __cudaRegisterFatBinary __cudaRegisterFatBinaryEnd __cudaRegisterFunction __cudaRegisterVar
    __cudaUnregisterFatBinary cudaGetErrorName cudaGetErrorString
]);

/// Finds the libraries and fills the tables, once.
///
/// # Errors
/// A library is not there, or too old: which, and what to do.
pub(super) fn load() -> Result<(), String> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    let toolkit = "install NVIDIA's CUDA toolkit, or put the folder of its libraries into LD_LIBRARY_PATH";
    let load = || {
        fill(&DRIVER, &DRIVER_NAMES, &["libcuda.so.1", "libcuda.so"], "install NVIDIA's driver")?;
        fill(&CUBLAS, &CUBLAS_NAMES, &["libcublas.so.13", "libcublas.so.12", "libcublas.so"], toolkit)?;
        fill(&CURAND, &CURAND_NAMES, &["libcurand.so.10", "libcurand.so"], toolkit)
    };
    LOADED.get_or_init(load).clone()
}

fn fill(table: &[AtomicPtr<c_void>], names: &[&CStr], files: &[&str], remedy: &str) -> Result<(), String> {
    let mut obstacle = None;
    let open = |file: &&str| {
        // SAFETY: these are NVIDIA's libraries, by the names that the linker would have given them; what they do when
        // loaded is what they would have done when the program started.
        let library = unsafe { Library::new(*file) };
        library.map_err(|error| obstacle = obstacle.take().or_else(|| damage(file, &error))).ok()
    };
    let Some(library) = files.iter().find_map(open) else {
        let reason = obstacle.unwrap_or_else(|| format!("there is no {}", files[0]));
        return Err(format!("{reason}: {remedy}"));
    };
    for (place, name) in table.iter().zip(names) {
        // SAFETY: only the address is taken.
        let function = unsafe { library.get::<*mut c_void>(*name) };
        let function =
            function.map_err(|_| format!("{} has no {}: a newer one is needed", files[0], name.to_string_lossy()))?;
        place.store(*function, Ordering::Release);
    }
    // It stays for good.
    std::mem::forget(library);
    Ok(())
}

/// What keeps a library that is there from being loaded: most often one that it needs itself.
fn damage(file: &str, error: &libloading::Error) -> Option<String> {
    let words = error.source()?.to_string();
    let is_absent = words.starts_with(&format!("{file}: cannot open shared object file"));
    (!is_absent).then(|| format!("{file} cannot be loaded: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_was_not_looked_for_answers_that_it_is_not_there() {
        unsafe extern "C" {
            fn cudaGetDeviceCount(count: *mut i32) -> i32;
        }
        let mut count = 7;
        // SAFETY: the function is the one above, which takes nothing.
        assert_eq!(unsafe { cudaGetDeviceCount(&mut count) }, 3);
        assert_eq!(count, 7);
    }

    #[test]
    fn a_library_that_is_not_there_is_named_with_what_to_do() {
        let error = fill(&[], &[], &["libnowhere.so.1"], "install it");
        assert_eq!(error, Err("there is no libnowhere.so.1: install it".into()));
    }

    #[test]
    fn a_library_that_cannot_be_loaded_is_told_with_the_loaders_words() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let name = file.path().to_str().expect("a name");
        let error = fill(&[], &[], &["libnowhere.so.1", name, "libnowhere.so"], "install it").expect_err("no library");
        assert!(error.starts_with(&format!("{name} cannot be loaded: {name}: ")), "{error}");
        assert!(error.ends_with(": install it"), "{error}");
    }
}
