#!/usr/bin/env bash
# Checks the CUDA kernels on a machine without GPU and toolkit: compiled for the processor, where fibers stand in for
# threads, they are compared with plain arithmetic in double. Needs a C++ compiler; takes some minutes.
#
#   scripts/check-cuda-kernels.sh [FOLDER]
#
# FOLDER takes what is compiled (default target/cuda-kernels).
set -euo pipefail

folder=$(mkdir -p "${1:-target/cuda-kernels}" && cd "${1:-target/cuda-kernels}" && pwd)
cd "$(dirname "$0")/.."
layers=src/backbones/layers

check() {
    "${CXX:-c++}" -std=c++17 -O2 -Wall -Wextra -Wno-unknown-pragmas -fno-strict-aliasing -D "NUMBER=$2" \
        -D "TENSOR_CORES=${3:-0}" -I tests/cuda -I $layers/cuda -I $layers/attention/cuda "tests/cuda/$1.cpp" \
        -o "$folder/check" ${CXXFLAGS:-}
    "$folder/check"
}

for number in float __half __nv_bfloat16; do
    check elements "$number"
done
check attention float
for number in __half __nv_bfloat16; do
    check attention "$number"
    check attention "$number" 1
done
