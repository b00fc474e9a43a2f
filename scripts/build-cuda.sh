#!/usr/bin/env bash
# Checks on a machine with neither a GPU nor NVIDIA's toolkit that the feature `cuda` compiles and links, and that
# what is built starts all the same: it takes the processor, and says why when it is told to take a GPU.
#
# Compiler and libraries come from PyPI (1.2 GB on disk); an empty library stands in for the driver's. Takes some ten
# minutes of two cores.
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
export RUSTFLAGS="${RUSTFLAGS:-} -L native=$CUDA_HOME/lib"
program=$(cargo build --features cuda --target-dir "$folder/build" --message-format json-render-diagnostics "$@" |
    sed -n 's/.*"executable":"\([^"]*gliclass\)".*/\1/p')

linked=$(readelf --wide --dynamic --dyn-syms "$program")
if grep 'NEEDED.*lib\(cu\|nv\)' <<< "$linked"; then
    echo "it needs these libraries to start: name their functions in src/model/device/cuda/libraries.rs" >&2
    exit 1
fi
if grep -v ' UND ' <<< "$linked" | grep ' \(__\)\?cu\(da\|blas\|rand\|[A-Z]\)'; then
    echo "it exports these functions, so that CUDA's libraries would call them: hide them" >&2
    exit 1
fi
"$program" classify --labels sport,politics --verbose "The match ended two to one."
status=0
"$program" classify --labels sport,politics --device cuda "The match ended two to one." || status=$?
if [ "$status" != 2 ]; then
    echo "exit status $status where a GPU that is not there must give 2" >&2
    exit 1
fi
