#!/usr/bin/env bash
# Checks that the feature `cuda` compiles and links on a machine with neither a GPU nor NVIDIA's toolkit.
#
# Compiler and libraries come from PyPI (1.2 GB on disk); an empty library stands in for the driver's.
# What is built is not meant to run: it starts only where the driver is. Takes some ten minutes of two cores.
#
#   scripts/build-cuda.sh [FOLDER] [ARGUMENTS OF CARGO BUILD ...]
#
# FOLDER holds everything (default target/cuda). CUDA_COMPUTE_CAP chooses the GPUs to compile for (default 80).
set -euo pipefail

folder=$(mkdir -p "${1:-target/cuda}" && cd "${1:-target/cuda}" && pwd)
shift || true
cd "$(dirname "$0")/.."

# The packages must be of one release, and one that cudarc knows.
packages=(nvidia-cuda-nvcc nvidia-nvvm nvidia-cuda-crt nvidia-cuda-runtime nvidia-cuda-cccl nvidia-cuda-nvrtc)
if [ ! -e "$folder/toolkit/ready" ]; then
    python3 -m venv "$folder/toolkit"
    "$folder/toolkit/bin/pip" install --quiet "${packages[@]/%/==13.0.*}" 'nvidia-cublas==13.1.*' 'nvidia-curand==10.4.*'
    touch "$folder/toolkit/ready"
fi

CUDA_HOME=$(echo "$folder"/toolkit/lib/python3*/site-packages/nvidia/cu13)
for library in "$CUDA_HOME"/lib/lib*.so.*; do
    # The linker looks for names without a version.
    ln -sf "$library" "${library%%.so.*}.so"
done
cc -shared -x c /dev/null -o "$CUDA_HOME/lib/libcuda.so"

export CUDA_HOME PATH="$CUDA_HOME/bin:$PATH" CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-80}
export RUSTFLAGS="${RUSTFLAGS:-} -L native=$CUDA_HOME/lib -C link-arg=-Wl,--unresolved-symbols=ignore-all"
cargo build --features cuda --target-dir "$folder/build" "$@"
