// The type that a kernel is compiled for, NUMBER: float, __half or __nv_bfloat16. On the processor, what
// `tests/cuda/processor.h` puts in the place of a GPU.

#pragma once

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <math_constants.h>
#else
#include "processor.h"
#endif

using Number = NUMBER;

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(__half x) { return __half2float(x); }
__device__ __forceinline__ float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

__device__ __forceinline__ void assign(float &to, float x) { to = x; }
__device__ __forceinline__ void assign(__half &to, float x) { to = __float2half_rn(x); }
__device__ __forceinline__ void assign(__nv_bfloat16 &to, float x) { to = __float2bfloat16_rn(x); }
