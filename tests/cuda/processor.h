// Runs a CUDA kernel on the processor, one block after another, to check its arithmetic without a GPU.
//
// Threads of a block are fibers that take turns where they wait for each other: at a barrier and at exchanges inside
// a warp. Turns go up or down through the threads; a kernel that forgets a barrier gives other numbers either way.

#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(threads)
#define __shared__ static
#define __align__(bytes) __attribute__((aligned(bytes)))
#define CUDART_INF_F INFINITY

struct Place {
    unsigned x, y;
};
struct uint4 {
    unsigned x, y, z, w;
};
struct float4 {
    float x, y, z, w;
};
struct float2 {
    float x, y;
};

inline Place threadIdx, blockIdx, gridDim;

inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }

struct __half {
    uint16_t bits;
};
struct __nv_bfloat16 {
    uint16_t bits;
};

inline float __half2float(__half x) {
    const int exponent = x.bits >> 10 & 31, fraction = x.bits & 1023;
    const float sign = x.bits >> 15 ? -1.0f : 1.0f;
    if (exponent == 31) {
        return fraction ? NAN : sign * INFINITY;
    }
    return sign * (exponent ? std::ldexp(1024.0f + fraction, exponent - 25) : std::ldexp(float(fraction), -24));
}

inline __half __float2half_rn(float x) {
    const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
    const float size = std::fabs(x);
    if (size == 0.0f) {
        return {sign};
    }
    if (std::isnan(x) || size >= 65520.0f) {
        return {uint16_t(sign | (std::isnan(x) ? 0x7e00 : 0x7c00))};
    }
    int exponent;
    std::frexp(size, &exponent);
    exponent = max(exponent - 11, -24);
    return {uint16_t(sign | ((exponent + 24) * 1024 + int(std::nearbyint(std::ldexp(size, -exponent)))))};
}

inline float __bfloat162float(__nv_bfloat16 x) {
    const uint32_t bits = uint32_t(x.bits) << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

inline __nv_bfloat16 __float2bfloat16_rn(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return {uint16_t(std::isnan(x) ? 0x7fc0 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

struct Barrier {
    int size, arrived = 0, turn = 0;
};

struct Fiber {
    // Where it begins, and where it goes on: `swapcontext` would ask the system each time.
    ucontext_t context;
    jmp_buf here;
    bool begun = false;
    // The barrier at which it waits, and its turn then.
    Barrier *at = nullptr;
    int turn = 0;
    bool done = false;
};

using Shown = std::array<unsigned, 6>;

struct Block {
    jmp_buf scheduler;
    std::vector<Fiber> fibers;
    Barrier all;
    std::vector<Barrier> warps;
    // What each thread shows the others of its warp.
    std::vector<Shown> shown;
    std::function<void()> kernel;
};

inline Block *block;

inline void wait(Barrier &barrier) {
    Fiber &fiber = block->fibers[threadIdx.x];
    fiber.at = &barrier;
    fiber.turn = barrier.turn;
    if (++barrier.arrived == barrier.size) {
        barrier.arrived = 0;
        barrier.turn++;
    }
    if (!_setjmp(fiber.here)) {
        _longjmp(block->scheduler, 1);
    }
}

inline void __syncthreads() { wait(block->all); }

inline void start_fiber() {
    block->kernel();
    block->fibers[threadIdx.x].done = true;
    _longjmp(block->scheduler, 1);
}

// Lets a fiber run until it waits or ends.
inline void go_on(Fiber &fiber) {
    if (_setjmp(block->scheduler)) {
        return;
    }
    if (fiber.begun) {
        _longjmp(fiber.here, 1);
    }
    fiber.begun = true;
    setcontext(&fiber.context);
}

// Runs one block of `threads`, whose turns go down where `backwards`.
inline void run_block(int threads, bool backwards, std::function<void()> kernel) {
    Block here;
    block = &here;
    here.fibers = std::vector<Fiber>(threads);
    here.all.size = threads;
    here.warps.assign(threads / 32, Barrier{32});
    here.shown.resize(threads);
    here.kernel = kernel;
    static std::vector<std::vector<char>> stacks;
    stacks.resize(threads, std::vector<char>(1 << 16));
    for (int thread = 0; thread < threads; thread++) {
        Fiber &fiber = here.fibers[thread];
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = stacks[thread].data();
        fiber.context.uc_stack.ss_size = stacks[thread].size();
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, start_fiber, 0);
    }
    for (int running = threads; running > 0;) {
        bool moved = false;
        for (int turn = 0; turn < threads; turn++) {
            const int thread = backwards ? threads - 1 - turn : turn;
            Fiber &fiber = here.fibers[thread];
            if (fiber.done || (fiber.at && fiber.at->turn == fiber.turn)) {
                continue;
            }
            moved = true;
            threadIdx = {unsigned(thread), 0};
            go_on(fiber);
            running -= fiber.done;
        }
        if (!moved) {
            fprintf(stderr, "threads wait for others that never come\n");
            exit(1);
        }
    }
}

// Every thread of a warp shows numbers, and computes something of all that are shown.
template <typename F>
auto exchange(const Shown &numbers, F compute) {
    const int warp = threadIdx.x / 32;
    block->shown[threadIdx.x] = numbers;
    wait(block->warps[warp]);
    auto result = compute(&block->shown[32 * warp]);
    wait(block->warps[warp]);
    return result;
}

inline float __shfl_sync(unsigned, float x, int from) {
    unsigned number;
    memcpy(&number, &x, 4);
    number = exchange({number}, [=](const Shown *shown) { return shown[from][0]; });
    memcpy(&x, &number, 4);
    return x;
}

inline float __shfl_xor_sync(unsigned mask, float x, int other) {
    return __shfl_sync(mask, x, (threadIdx.x % 32) ^ other);
}

inline float short_to_float(unsigned bits, __half) { return __half2float({uint16_t(bits)}); }
inline float short_to_float(unsigned bits, __nv_bfloat16) { return __bfloat162float({uint16_t(bits)}); }

// mma.m16n8k16 as the PTX manual lays its fragments out: an element of A (row, k) is in the lane
// `row % 8 * 4 + k % 8 / 2`, register `row / 8 + k / 8 * 2`; one of B (k, column) in the lane
// `column * 4 + k % 8 / 2`, register `k / 8`; the lower half of a register is the even `k`.
template <typename T>
void mma(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2], T) {
    const int lane = threadIdx.x % 32;
    const float before[4] = {sums[0], sums[1], sums[2], sums[3]};
    struct Four {
        float numbers[4];
    };
    const Four after = exchange({a[0], a[1], a[2], a[3], b[0], b[1]}, [&](const Shown *shown) {
        Four four;
        for (int r = 0; r < 2; r++) {
            for (int c = 0; c < 2; c++) {
                const int row = lane / 4 + 8 * r, column = lane % 4 * 2 + c;
                float sum = before[2 * r + c];
                for (int k = 0; k < 16; k++) {
                    const int shift = k % 2 * 16;
                    const unsigned left = shown[row % 8 * 4 + k % 8 / 2][row / 8 + k / 8 * 2] >> shift;
                    const unsigned right = shown[column * 4 + k % 8 / 2][4 + k / 8] >> shift;
                    sum += short_to_float(left, T()) * short_to_float(right, T());
                }
                four.numbers[2 * r + c] = sum;
            }
        }
        return four;
    });
    memcpy(sums, after.numbers, sizeof(sums));
}
