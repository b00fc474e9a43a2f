// Attention inside each sequence of a packed batch, without padding: one launch for all sequences and heads.
//
// A block takes up to 64 neighbouring queries of one sequence for one head, a warp 16 of them. Keys and values pass
// through shared memory a few dozen at a time, and the softmax is made anew as larger scores come, so scores never
// reach memory. All sums are float. What a query gets depends on its own sequence alone.
//
// A lane holds the elements of a product where `mma` leaves them: of 16 rows and columns in groups of 8, rows
// `lane / 4` and 8 below, and columns `2 * (lane % 4)` and the next. Products of float, and those of short numbers on
// GPUs before 8.0, are made without `mma` in the same places.
//
// Compiled once for each type.

#include "numbers.cuh"

#ifndef TENSOR_CORES
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define TENSOR_CORES 0
#else
#define TENSOR_CORES 1
#endif
#endif

constexpr bool BY_MMA = TENSOR_CORES && sizeof(Number) == 2;

constexpr int WARPS = 4;
constexpr int THREADS = 32 * WARPS;
constexpr int WARP_ROWS = 16;
constexpr int ROWS = WARP_ROWS * WARPS;

// What every block may have without asking for more.
constexpr int SHARED_BYTES = 48 << 10;

template <bool SHORT>
struct Storage {
    using Type = float;
};

template <>
struct Storage<true> {
    using Type = Number;
};

// What queries, keys and values are in shared memory.
using Stored = Storage<BY_MMA>::Type;

// From one row in shared memory to the next: 16 bytes more than it holds, so that the rows of a column lie in
// different banks.
template <int WIDTH>
constexpr int PITCH = WIDTH + 16 / int(sizeof(Stored));

template <int WIDTH>
constexpr bool fit(int keys) {
    return (ROWS + keys) * PITCH<WIDTH> * int(sizeof(Stored)) <= SHARED_BYTES;
}

// Keys that are in shared memory at once.
template <int WIDTH>
constexpr int KEYS = fit<WIDTH>(64) ? 64 : fit<WIDTH>(32) ? 32 : 16;

// The operands of a launch. Rows are apart by the strides, heads by their width.
struct Layer {
    const Number *query;
    const Number *key;
    const Number *value;
    Number *out;
    // (blocks, 5): see Tile.
    const unsigned *tiles;
    unsigned query_stride;
    unsigned key_stride;
    // Columns of a head; at most the width that the kernel is compiled for.
    int head_dim;
    float scale;
    // Only keys at most so far away are seen.
    int window;
    // Not 0: only keys up to the query's own place are seen.
    int causal;
    // (heads, 2 * reach + 1), or null: added to scores by the distance from query to key.
    const Number *relative;
    int reach;
    // Products of queries and of keys with the vectors of positions, (heads, rows, positions), or null.
    const Number *c2p;
    const Number *p2c;
    int positions;
    // The position of each distance from key to query, from `1 - longest` on, less `first_position`.
    const unsigned *index;
    int longest;
    int first_position;
    unsigned rows;
};

// The queries of a block, and the keys of their sequence.
struct Tile {
    unsigned query_row;
    int queries;
    // The place of the first query in its sequence.
    int place;
    unsigned key_row;
    int keys;
};

__device__ __forceinline__ int lane() { return threadIdx.x % 32; }

// The row of a lane's first elements among those of its block; the others are 8 below.
__device__ __forceinline__ int first_row() { return threadIdx.x / 32 * WARP_ROWS + lane() / 4; }

// The column of a lane's first elements among 8; the others are in the next.
__device__ __forceinline__ int first_column() { return lane() % 4 * 2; }

// Two elements side by side.
__device__ __forceinline__ unsigned pair(const Stored *from) { return *reinterpret_cast<const unsigned *>(from); }

template <typename T>
__device__ __forceinline__ unsigned bits(T x) {
    return *reinterpret_cast<const unsigned short *>(&x);
}

__device__ __forceinline__ unsigned rounded_pair(float low, float high) {
    Number numbers[2];
    assign(numbers[0], low);
    assign(numbers[1], high);
    return bits(numbers[0]) | bits(numbers[1]) << 16;
}

#if defined(__CUDACC__) && TENSOR_CORES
// Adds the product of 16 x 16 and 16 x 8 numbers.
__device__ __forceinline__ void mma(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2], __half) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ __forceinline__ void mma(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2], __nv_bfloat16) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

// Rows of one head to shared memory; 0 behind the last row and the last column. In parts of 16 bytes, where they lie
// at multiples of that.
template <int WIDTH, int COUNT>
__device__ __forceinline__ void load(Stored *to, const Number *from, unsigned stride, int rows, int width) {
    constexpr int PART = 16 / int(sizeof(Number));
    const size_t misplaced = reinterpret_cast<size_t>(from) | (stride | unsigned(width)) * sizeof(Number);
    if (sizeof(Stored) == sizeof(Number) && misplaced % 16 == 0) {
        for (int at = threadIdx.x; at < COUNT * (WIDTH / PART); at += THREADS) {
            const int row = at / (WIDTH / PART), column = at % (WIDTH / PART) * PART;
            uint4 part = {0, 0, 0, 0};
            if (row < rows && column < width) {
                part = *reinterpret_cast<const uint4 *>(from + size_t(row) * stride + column);
            }
            *reinterpret_cast<uint4 *>(to + row * PITCH<WIDTH> + column) = part;
        }
        return;
    }
    for (int at = threadIdx.x; at < COUNT * WIDTH; at += THREADS) {
        const int row = at / WIDTH, column = at % WIDTH;
        const bool there = row < rows && column < width;
        assign(to[row * PITCH<WIDTH> + column], there ? to_float(from[size_t(row) * stride + column]) : 0.0f);
    }
}

// Products of the warp's queries and the keys.
template <int WIDTH>
__device__ __forceinline__ void score(float (&scores)[KEYS<WIDTH> / 8][4], const Stored *queries, const Stored *keys) {
    const Stored *query = queries + first_row() * PITCH<WIDTH>;
    if constexpr (BY_MMA) {
#pragma unroll
        for (int depth = 0; depth < WIDTH; depth += 16) {
            const Stored *low = query + depth + first_column(), *high = low + 8 * PITCH<WIDTH>;
            const unsigned a[4] = {pair(low), pair(high), pair(low + 8), pair(high + 8)};
#pragma unroll
            for (int n = 0; n < KEYS<WIDTH> / 8; n++) {
                const Stored *key = keys + (8 * n + lane() / 4) * PITCH<WIDTH> + depth + first_column();
                const unsigned b[2] = {pair(key), pair(key + 8)};
                mma(scores[n], a, b, Number());
            }
        }
    } else {
#pragma unroll 1
        for (int depth = 0; depth < WIDTH; depth += 4) {
            const float4 low = *reinterpret_cast<const float4 *>(query + depth);
            const float4 high = *reinterpret_cast<const float4 *>(query + 8 * PITCH<WIDTH> + depth);
#pragma unroll
            for (int n = 0; n < KEYS<WIDTH> / 8; n++) {
#pragma unroll
                for (int c = 0; c < 2; c++) {
                    const Stored *at = keys + (8 * n + first_column() + c) * PITCH<WIDTH> + depth;
                    const float4 key = *reinterpret_cast<const float4 *>(at);
                    scores[n][c] += low.x * key.x + low.y * key.y + low.z * key.z + low.w * key.w;
                    scores[n][2 + c] += high.x * key.x + high.y * key.y + high.z * key.z + high.w * key.w;
                }
            }
        }
    }
}

// Adds the values, each as often as its key weighs.
template <int WIDTH>
__device__ __forceinline__ void add_values(
    float (&context)[WIDTH / 8][4], const float (&weights)[KEYS<WIDTH> / 8][4], const Stored *values) {
    if constexpr (BY_MMA) {
#pragma unroll
        for (int n = 0; n < KEYS<WIDTH> / 8; n += 2) {
            const float(&low)[4] = weights[n], (&high)[4] = weights[n + 1];
            const unsigned a[4] = {rounded_pair(low[0], low[1]), rounded_pair(low[2], low[3]),
                                   rounded_pair(high[0], high[1]), rounded_pair(high[2], high[3])};
            const Stored *value = values + (8 * n + first_column()) * PITCH<WIDTH> + lane() / 4;
#pragma unroll
            for (int m = 0; m < WIDTH / 8; m++, value += 8) {
                const Stored *next = value + 8 * PITCH<WIDTH>;
                const unsigned b[2] = {bits(value[0]) | bits(value[PITCH<WIDTH>]) << 16,
                                       bits(next[0]) | bits(next[PITCH<WIDTH>]) << 16};
                mma(context[m], a, b, Number());
            }
        }
    } else {
#pragma unroll
        for (int n = 0; n < KEYS<WIDTH> / 8; n++) {
#pragma unroll
            for (int column = 0; column < 8; column++) {
                const int c = column % 2, holder = lane() / 4 * 4 + column / 2;
                const float low = __shfl_sync(~0u, weights[n][c], holder);
                const float high = __shfl_sync(~0u, weights[n][2 + c], holder);
                const Stored *value = values + (8 * n + column) * PITCH<WIDTH> + first_column();
#pragma unroll
                for (int m = 0; m < WIDTH / 8; m++, value += 8) {
                    const float2 two = *reinterpret_cast<const float2 *>(value);
                    context[m][0] += low * two.x;
                    context[m][1] += low * two.y;
                    context[m][2] += high * two.x;
                    context[m][3] += high * two.y;
                }
            }
        }
    }
}

// The score of the query at place `i` for the key at place `j`, which it sees.
__device__ __forceinline__ float biased(const Layer &layer, const Tile &tile, float product, int i, int j) {
    const size_t head = blockIdx.y;
    if (layer.index != nullptr) {
        const size_t position = layer.index[i - j + layer.longest - 1] - layer.first_position;
        if (layer.c2p != nullptr) {
            const size_t row = head * layer.rows + tile.query_row + (i - tile.place);
            product += to_float(layer.c2p[row * layer.positions + position]);
        }
        if (layer.p2c != nullptr) {
            const size_t row = head * layer.rows + tile.key_row + j;
            product += to_float(layer.p2c[row * layer.positions + position]);
        }
    }
    product *= layer.scale;
    if (layer.relative != nullptr) {
        const int place = min(max(j - i + layer.reach, 0), 2 * layer.reach);
        product += to_float(layer.relative[head * (2 * layer.reach + 1) + place]);
    }
    return product;
}

// Over the four lanes that hold a row.
__device__ __forceinline__ float row_maximum(float x) {
    x = fmaxf(x, __shfl_xor_sync(~0u, x, 1));
    return fmaxf(x, __shfl_xor_sync(~0u, x, 2));
}

__device__ __forceinline__ float row_sum(float x) {
    x += __shfl_xor_sync(~0u, x, 1);
    return x + __shfl_xor_sync(~0u, x, 2);
}

// Products of queries with keys from place `first` up to `end` become the keys' weights, 0 for those not seen; what was
// summed with an earlier maximum shrinks to the new one.
template <int WIDTH>
__device__ __forceinline__ void weigh(
    const Layer &layer, const Tile &tile, int first, int end, float (&scores)[KEYS<WIDTH> / 8][4],
    float (&context)[WIDTH / 8][4], float (&most)[2], float (&sum)[2]) {
#pragma unroll
    for (int r = 0; r < 2; r++) {
        const int row = first_row() + 8 * r, i = tile.place + row;
        float maximum = most[r];
#pragma unroll
        for (int n = 0; n < KEYS<WIDTH> / 8; n++) {
#pragma unroll
            for (int c = 0; c < 2; c++) {
                const int j = first + 8 * n + first_column() + c;
                const bool near = abs(i - j) <= layer.window && (j <= i || !layer.causal);
                float &x = scores[n][2 * r + c];
                x = row < tile.queries && j < end && near ? biased(layer, tile, x, i, j) : -CUDART_INF_F;
                maximum = fmaxf(maximum, x);
            }
        }
        maximum = row_maximum(maximum);
        // A row that has seen no key yet.
        const float base = maximum == -CUDART_INF_F ? 0.0f : maximum;
        const float shrink = expf(most[r] - base);
        most[r] = maximum;
        sum[r] *= shrink;
#pragma unroll
        for (int n = 0; n < KEYS<WIDTH> / 8; n++) {
#pragma unroll
            for (int c = 0; c < 2; c++) {
                float &x = scores[n][2 * r + c];
                x = expf(x - base);
                sum[r] += x;
            }
        }
#pragma unroll
        for (int m = 0; m < WIDTH / 8; m++) {
            context[m][2 * r] *= shrink;
            context[m][2 * r + 1] *= shrink;
        }
    }
}

// A query that sees no key gets zeros.
template <int WIDTH>
__device__ __forceinline__ void store(
    const Layer &layer, const Tile &tile, const float (&context)[WIDTH / 8][4], const float (&sum)[2]) {
    const unsigned stride = gridDim.y * layer.head_dim;
#pragma unroll
    for (int r = 0; r < 2; r++) {
        const float all = row_sum(sum[r]);
        const float by = all == 0.0f ? 0.0f : 1.0f / all;
        const int row = first_row() + 8 * r;
        if (row >= tile.queries) {
            continue;
        }
        Number *out = layer.out + size_t(tile.query_row + row) * stride + blockIdx.y * layer.head_dim;
#pragma unroll
        for (int m = 0; m < WIDTH / 8; m++) {
#pragma unroll
            for (int c = 0; c < 2; c++) {
                const int column = 8 * m + first_column() + c;
                if (column < layer.head_dim) {
                    assign(out[column], context[m][2 * r + c] * by);
                }
            }
        }
    }
}

template <int WIDTH>
__device__ __forceinline__ void attend(const Layer &layer) {
    __shared__ __align__(16) Stored queries[ROWS * PITCH<WIDTH>];
    // Keys, then values.
    __shared__ __align__(16) Stored others[KEYS<WIDTH> * PITCH<WIDTH>];
    const unsigned *numbers = layer.tiles + 5 * size_t(blockIdx.x);
    const Tile tile = {numbers[0], int(numbers[1]), int(numbers[2]), numbers[3], int(numbers[4])};
    const int head = blockIdx.y * layer.head_dim;
    load<WIDTH, ROWS>(queries, layer.query + size_t(tile.query_row) * layer.query_stride + head, layer.query_stride,
                      tile.queries, layer.head_dim);

    // The keys that some of the queries see.
    const int start = max(tile.place - layer.window, 0);
    const int last = tile.place + tile.queries;
    const int end = min(tile.keys, layer.causal ? last : last + layer.window);
    const bool works = int(threadIdx.x) / 32 * WARP_ROWS < tile.queries;

    float context[WIDTH / 8][4] = {};
    float most[2] = {-CUDART_INF_F, -CUDART_INF_F};
    float sum[2] = {0.0f, 0.0f};
    for (int first = start; first < end; first += KEYS<WIDTH>) {
        const int count = min(KEYS<WIDTH>, end - first);
        const size_t at = size_t(tile.key_row + first) * layer.key_stride + head;
        float scores[KEYS<WIDTH> / 8][4] = {};
        __syncthreads();
        load<WIDTH, KEYS<WIDTH>>(others, layer.key + at, layer.key_stride, count, layer.head_dim);
        __syncthreads();
        if (works) {
            score<WIDTH>(scores, queries, others);
            weigh<WIDTH>(layer, tile, first, end, scores, context, most, sum);
        }
        __syncthreads();
        load<WIDTH, KEYS<WIDTH>>(others, layer.value + at, layer.key_stride, count, layer.head_dim);
        __syncthreads();
        if (works) {
            add_values<WIDTH>(context, scores, others);
        }
    }
    store<WIDTH>(layer, tile, context, sum);
}

// One for each width of heads; narrower heads are filled up with zeros.
#define ATTENTION(WIDTH)                                                                                               \
    extern "C" __global__ void __launch_bounds__(THREADS) attention_##WIDTH(                                           \
        const Number *query, const Number *key, const Number *value, Number *out, const unsigned *tiles,               \
        unsigned query_stride, unsigned key_stride, int head_dim, float scale, int window, int causal,                 \
        const Number *relative, int reach, const Number *c2p, const Number *p2c, int positions, const unsigned *index, \
        int longest, int first_position, unsigned rows) {                                                              \
        attend<WIDTH>({query,  key,    value,    out,   tiles, query_stride, key_stride, head_dim, scale,   window,    \
                       causal, relative, reach, c2p,   p2c,   positions,    index,      longest,  first_position, rows}); \
    }

ATTENTION(32)
ATTENTION(64)
ATTENTION(96)
ATTENTION(128)
