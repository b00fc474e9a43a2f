// What stands between the products of a layer, in one pass over its memory each: the end of a dense layer, the gate,
// and rotary positions. A block takes a row. All arithmetic is float, and rounded once.

#include "numbers.cuh"

constexpr int THREADS = 128;

// Elements in 16 bytes.
constexpr int PART = 16 / int(sizeof(Number));

// In the order of `kernels::Activation`.
enum Activation { NONE, GELU, GELU_TANH, RELU, SILU, TANH };

__device__ __forceinline__ float activate(int activation, float x) {
    switch (activation) {
    case GELU:
        return 0.5f * x * (1.0f + erff(0.70710678f * x));
    case GELU_TANH:
        return 0.5f * x * (1.0f + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
    case RELU:
        // What is no number stays so.
        return x < 0.0f ? 0.0f : x;
    case SILU:
        return x / (1.0f + expf(-x));
    case TANH:
        return tanhf(x);
    default:
        return x;
    }
}

template <int COUNT>
__device__ __forceinline__ void read(float (&to)[COUNT], const Number *from) {
    if constexpr (COUNT == PART) {
        const uint4 part = *reinterpret_cast<const uint4 *>(from);
        const Number *numbers = reinterpret_cast<const Number *>(&part);
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            to[i] = to_float(numbers[i]);
        }
    } else {
        to[0] = to_float(from[0]);
    }
}

template <int COUNT>
__device__ __forceinline__ void write(Number *to, const float (&from)[COUNT]) {
    if constexpr (COUNT == PART) {
        uint4 part;
        Number *numbers = reinterpret_cast<Number *>(&part);
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            assign(numbers[i], from[i]);
        }
        *reinterpret_cast<uint4 *>(to) = part;
    } else {
        assign(to[0], from[0]);
    }
}

// Whether rows of this width lie in whole parts of 16 bytes, from wherever they begin.
__device__ __forceinline__ bool in_parts(int width, const void *a, const void *b, const void *c) {
    const size_t places = reinterpret_cast<size_t>(a) | reinterpret_cast<size_t>(b) | reinterpret_cast<size_t>(c);
    return (places | width * sizeof(Number)) % 16 == 0;
}

template <int COUNT>
__device__ __forceinline__ void finish_row(
    Number *row, const Number *bias, const Number *residual, int width, int activation) {
    for (int at = threadIdx.x * COUNT; at < width; at += THREADS * COUNT) {
        float x[COUNT], added[COUNT] = {}, rest[COUNT] = {};
        read(x, row + at);
        if (bias != nullptr) {
            read(added, bias + at);
        }
        if (residual != nullptr) {
            read(rest, residual + at);
        }
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            x[i] = activate(activation, x[i] + added[i]) + rest[i];
        }
        write(row + at, x);
    }
}

// `activation(x + bias) + residual` in the place of `x` (rows, width); bias and residual may be null.
extern "C" __global__ void __launch_bounds__(THREADS) finish(
    Number *x, const Number *bias, const Number *residual, int width, int activation) {
    const size_t first = size_t(blockIdx.x) * width;
    const Number *rest = residual == nullptr ? nullptr : residual + first;
    if (in_parts(width, x, bias, residual)) {
        finish_row<PART>(x + first, bias, rest, width, activation);
    } else {
        finish_row<1>(x + first, bias, rest, width, activation);
    }
}

template <int COUNT>
__device__ __forceinline__ void gate_row(const Number *row, Number *out, int width, int activation) {
    for (int at = threadIdx.x * COUNT; at < width; at += THREADS * COUNT) {
        float x[COUNT], by[COUNT];
        read(x, row + at);
        read(by, row + width + at);
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            x[i] = activate(activation, x[i]) * by[i];
        }
        write(out + at, x);
    }
}

// `activation(first half of each row) * second half`: `x` (rows, 2 * width) to `out` (rows, width).
extern "C" __global__ void __launch_bounds__(THREADS) gate(const Number *x, Number *out, int width, int activation) {
    const size_t row = blockIdx.x;
    if (in_parts(width, x, out, nullptr)) {
        gate_row<PART>(x + 2 * row * width, out + row * width, width, activation);
    } else {
        gate_row<1>(x + 2 * row * width, out + row * width, width, activation);
    }
}

// Turns the two halves of each of the first `heads` heads of a row of `x` (rows, width), `2 * half` columns each, by the
// angles of the row's position, of which `cos` and `sin` (positions, half) are given.
extern "C" __global__ void __launch_bounds__(THREADS) turn(
    Number *x, const unsigned *positions, const float *cos, const float *sin, int width, int heads, int half) {
    Number *row = x + size_t(blockIdx.x) * width;
    const size_t angles = size_t(positions[blockIdx.x]) * half;
    for (int at = threadIdx.x; at < heads * half; at += THREADS) {
        const int column = at % half;
        Number *a = row + (at - column) * 2 + column, *b = a + half;
        const float first = to_float(*a), second = to_float(*b);
        const float c = cos[angles + column], s = sin[angles + column];
        assign(*a, first * c - second * s);
        assign(*b, second * c + first * s);
    }
}
