#!/usr/bin/env bash
# Checks the CUDA kernel of attention on a machine without GPU and toolkit: compiled for the processor, where fibers
# stand in for threads, it is compared with plain sums in double. Needs a C++ compiler; takes some minutes.
#
#   scripts/check-cuda-attention.sh [FOLDER]
#
# FOLDER takes what is compiled (default target/cuda-attention).
set -euo pipefail

folder=$(mkdir -p "${1:-target/cuda-attention}" && cd "${1:-target/cuda-attention}" && pwd)
cd "$(dirname "$0")/.."

check() {
    "${CXX:-c++}" -std=c++17 -O2 -Wall -Wextra -Wno-unknown-pragmas -fno-strict-aliasing -D "NUMBER=$1" -D "TENSOR_CORES=$2" \
        -I tests/cuda -I src/backbones/layers/attention/cuda tests/cuda/attention.cpp -o "$folder/check" ${CXXFLAGS:-}
    "$folder/check"
}

check float 0
for number in __half __nv_bfloat16; do
    check "$number" 0
    check "$number" 1
done
