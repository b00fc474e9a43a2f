//! Compiles the program's own kernels for NVIDIA's GPUs, where the feature `cuda` is on.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cuda")]
    cuda::compile();
}

#[cfg(feature = "cuda")]
mod cuda {
    use std::env;
    use std::path::Path;
    use std::process::Command;

    use cudaforge::{CudaToolkit, GpuArch};

    const KERNELS: [(&str, &str); 2] = [
        ("attention", "src/backbones/layers/attention/cuda/attention.cu"),
        ("elements", "src/backbones/layers/cuda/elements.cu"),
    ];

    /// Where what they include lies.
    const SHARED: &str = "src/backbones/layers/cuda";

    /// What a type of candle is called in CUDA.
    const NUMBERS: [(&str, &str); 3] = [("f32", "float"), ("f16", "__half"), ("bf16", "__nv_bfloat16")];

    /// `KERNEL_TYPE.ptx` for each kernel and type, for the GPUs that candle's kernels are compiled for.
    pub fn compile() {
        println!("cargo::rerun-if-changed={SHARED}");
        for (_, source) in KERNELS {
            println!("cargo::rerun-if-changed={source}");
        }
        for variable in ["CUDA_COMPUTE_CAP", "NVCC", "NVCC_CCBIN"] {
            println!("cargo::rerun-if-env-changed={variable}");
        }
        let toolkit = CudaToolkit::detect().expect("the CUDA compiler, nvcc, is on the path");
        let gpus = cudaforge::detect_compute_cap().expect("CUDA_COMPUTE_CAP says which GPUs to compile for");
        let folder = env::var_os("OUT_DIR").expect("cargo says where to write");
        for (kernel, source) in KERNELS {
            for (name, number) in NUMBERS {
                let out = Path::new(&folder).join(format!("{kernel}_{name}.ptx"));
                compile_for(&toolkit, &gpus, source, number, &out);
            }
        }
    }

    fn compile_for(toolkit: &CudaToolkit, gpus: &GpuArch, source: &str, number: &str, out: &Path) {
        let mut nvcc = Command::new(&toolkit.nvcc_path);
        nvcc.arg(gpus.to_gencode_arg()).args(["--ptx", "-std=c++17", "-O3", "-I", SHARED]);
        nvcc.arg(format!("-DNUMBER={number}")).arg("-o").arg(out).arg(source);
        if let Some(compiler) = env::var_os("NVCC_CCBIN") {
            nvcc.arg("-allow-unsupported-compiler").arg("-ccbin").arg(compiler);
        }
        let status = nvcc.status().unwrap_or_else(|error| panic!("{}: {error}", toolkit.nvcc_path.display()));
        assert!(status.success(), "nvcc compiles {source} for {number}: {status}");
    }
}
