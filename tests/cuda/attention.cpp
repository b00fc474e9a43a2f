// Compares the CUDA kernel of attention, run on the processor, with plain sums in double.

#define NUMBER_NAME_(name) #name
#define NUMBER_NAME(name) NUMBER_NAME_(name)

#include "attention.cu"

#include <limits>
#include <random>
#include <string>

// What the kernel may be off by: the weights of keys and the result are rounded to its type.
constexpr double TOLERANCE = sizeof(Number) == 4 ? 1e-5 : std::is_same_v<Number, __half> ? 2e-3 : 1.5e-2;

static std::mt19937 generator(1);

static std::vector<Number> random_numbers(size_t count, float size = 1.0f) {
    std::normal_distribution<float> normal(0.0f, size);
    std::vector<Number> numbers(count);
    for (Number &number : numbers) {
        assign(number, normal(generator));
    }
    return numbers;
}

enum Biases { NONE, RELATIVE, C2P, P2C, BOTH };

struct Case {
    std::vector<int> lengths;
    int heads, head_dim;
    int window = 1 << 30;
    bool causal = false;
    Biases bias = NONE;
    // Keys are some rows of their own matrix, and not those of the queries.
    bool elsewhere = false;

    std::string text() const {
        const char *biases[] = {"none", "relative", "c2p", "p2c", "both"};
        return std::to_string(lengths.size()) + " sequences from " + std::to_string(lengths[0]) + ", " +
               std::to_string(heads) + " heads of " + std::to_string(head_dim) + ", window " + std::to_string(window) +
               (causal ? ", causal" : "") + ", bias " + biases[bias] + (elsewhere ? ", keys elsewhere" : "");
    }
};

struct Sequence {
    int query_row, queries, key_row, keys;
};

// A batch with its operands.
struct Batch {
    Case of;
    std::vector<Sequence> sequences;
    std::vector<unsigned> tiles;
    int rows = 0, key_rows = 0, longest = 0, reach = 0, positions = 0, first_position = 3;
    std::vector<Number> query, key_value, relative, c2p, p2c;
    std::vector<unsigned> index;
    Layer layer = {};
    std::vector<Number> out;

    explicit Batch(const Case &of) : of(of) {
        for (const int length : of.lengths) {
            const int keys = of.elsewhere ? length * 5 % 83 : length;
            sequences.push_back({rows, length, key_rows, keys});
            for (int place = 0; place < length; place += ROWS) {
                const int queries = min(ROWS, length - place);
                for (const int number : {rows + place, queries, place, key_rows, keys}) {
                    tiles.push_back(number);
                }
            }
            rows += length;
            // Rows that nobody sees.
            key_rows += keys + (of.elsewhere ? 2 : 0);
            longest = max(longest, max(length, keys));
        }
        const int hidden = of.heads * of.head_dim;
        query = random_numbers(size_t(rows) * (of.elsewhere ? 1 : 3) * hidden);
        key_value = of.elsewhere ? random_numbers(size_t(key_rows) * 2 * hidden) : std::vector<Number>();
        out = random_numbers(size_t(rows) * hidden);
        biases();
        const Number *keys = of.elsewhere ? key_value.data() : query.data() + hidden;
        const bool disentangled = of.bias >= C2P;
        layer = {query.data(), keys, keys + hidden, out.data(), tiles.data(), unsigned((of.elsewhere ? 1 : 3) * hidden),
                 unsigned((of.elsewhere ? 2 : 3) * hidden), of.head_dim, 1.0f / std::sqrt(float(of.head_dim)),
                 of.window, of.causal, of.bias == RELATIVE ? relative.data() : nullptr, reach,
                 of.bias == C2P || of.bias == BOTH ? c2p.data() : nullptr,
                 of.bias == P2C || of.bias == BOTH ? p2c.data() : nullptr, positions,
                 disentangled ? index.data() : nullptr, longest, first_position, unsigned(rows)};
    }

    void biases() {
        if (of.bias == RELATIVE) {
            reach = 9;
            relative = random_numbers(size_t(of.heads) * (2 * reach + 1));
        }
        if (of.bias >= C2P) {
            for (int distance = 1 - longest; distance < longest; distance++) {
                // Far distances share a position.
                index.push_back(first_position + max(min(distance, 20), -20) + 20);
            }
            positions = 41;
            const size_t products = size_t(of.heads) * rows * positions;
            c2p = random_numbers(products, std::sqrt(float(of.head_dim)));
            p2c = random_numbers(products, std::sqrt(float(of.head_dim)));
        }
    }

    void run(bool backwards) {
        gridDim = {unsigned(tiles.size() / 5), unsigned(of.heads)};
        for (unsigned head = 0; head < gridDim.y; head++) {
            for (unsigned tile = 0; tile < gridDim.x; tile++) {
                blockIdx = {tile, head};
                run_block(THREADS, backwards, [&] { launch(); });
            }
        }
    }

    void launch() {
        const auto kernel = of.head_dim <= 32   ? attention_32
                            : of.head_dim <= 64 ? attention_64
                            : of.head_dim <= 96 ? attention_96
                                                : attention_128;
        const Layer &l = layer;
        kernel(l.query, l.key, l.value, l.out, l.tiles, l.query_stride, l.key_stride, l.head_dim, l.scale, l.window,
               l.causal, l.relative, l.reach, l.c2p, l.p2c, l.positions, l.index, l.longest, l.first_position, l.rows);
    }

    double score(const Sequence &sequence, int head, int i, int j) const {
        const Number *query = layer.query + size_t(sequence.query_row + i) * layer.query_stride + head * of.head_dim;
        const Number *key = layer.key + size_t(sequence.key_row + j) * layer.key_stride + head * of.head_dim;
        double sum = 0.0;
        for (int d = 0; d < of.head_dim; d++) {
            sum += double(to_float(query[d])) * to_float(key[d]);
        }
        if (layer.index) {
            const size_t position = index[i - j + longest - 1] - first_position;
            const size_t head_row = size_t(head) * rows;
            sum += layer.c2p ? to_float(c2p[(head_row + sequence.query_row + i) * positions + position]) : 0.0f;
            sum += layer.p2c ? to_float(p2c[(head_row + sequence.key_row + j) * positions + position]) : 0.0f;
        }
        sum *= layer.scale;
        if (layer.relative) {
            sum += to_float(relative[head * (2 * reach + 1) + max(min(j - i, reach), -reach) + reach]);
        }
        return sum;
    }

    // One row of a head.
    std::vector<double> plain(const Sequence &sequence, int head, int i) const {
        std::vector<double> scores(sequence.keys, -std::numeric_limits<double>::infinity());
        double most = -std::numeric_limits<double>::infinity(), all = 0.0;
        for (int j = 0; j < sequence.keys; j++) {
            if (std::abs(i - j) <= of.window && (j <= i || !of.causal)) {
                scores[j] = score(sequence, head, i, j);
                most = std::fmax(most, scores[j]);
            }
        }
        std::vector<double> row(of.head_dim, 0.0);
        for (int j = 0; j < sequence.keys; j++) {
            const double weight = std::isinf(scores[j]) ? 0.0 : std::exp(scores[j] - most);
            const Number *value = layer.value + size_t(sequence.key_row + j) * layer.key_stride + head * of.head_dim;
            all += weight;
            for (int d = 0; d < of.head_dim; d++) {
                row[d] += weight * to_float(value[d]);
            }
        }
        for (double &x : row) {
            x = all == 0.0 ? 0.0 : x / all;
        }
        return row;
    }

    double worst() const {
        double worst = 0.0;
        for (const Sequence &sequence : sequences) {
            for (int head = 0; head < of.heads; head++) {
                for (int i = 0; i < sequence.queries; i++) {
                    const std::vector<double> row = plain(sequence, head, i);
                    const size_t at = (size_t(sequence.query_row + i) * of.heads + head) * of.head_dim;
                    for (int d = 0; d < of.head_dim; d++) {
                        const double difference = std::fabs(row[d] - to_float(out[at + d]));
                        // Not a number is worse than any.
                        worst = difference <= worst ? worst : difference;
                    }
                }
            }
        }
        return worst;
    }
};

static double check(const Case &of) {
    Batch batch(of);
    batch.run(false);
    const double worst = batch.worst();
    const std::vector<Number> out = batch.out;
    batch.run(true);
    const bool same = memcmp(out.data(), batch.out.data(), out.size() * sizeof(Number)) == 0;
    if (!(worst <= TOLERANCE) || !same) {
        fprintf(stderr, "%s: off by %g%s\n", of.text().c_str(), worst, same ? "" : ", and threads race");
        exit(1);
    }
    return worst;
}

int main() {
    std::vector<int> lengths;
    for (int length = 1; length <= 130; length++) {
        lengths.push_back(length);
    }
    const std::vector<int> some = {1, 65, 0, 130, 33};
    std::vector<Case> cases = {{lengths, 1, 64}};
    for (const int head_dim : {5, 8, 24, 32, 40, 64, 80, 96, 100, 128}) {
        cases.push_back({some, 2, head_dim});
        cases.push_back({some, 2, head_dim, 1 << 30, false, BOTH});
    }
    for (const int window : {0, 20, 1 << 30}) {
        for (const bool causal : {false, true}) {
            for (const bool elsewhere : {false, true}) {
                cases.push_back({some, 2, 32, window, causal, NONE, elsewhere});
            }
            for (const Biases bias : {RELATIVE, C2P, P2C, BOTH}) {
                cases.push_back({some, 2, 32, window, causal, bias});
            }
        }
    }
    double worst = 0.0;
    for (const Case &of : cases) {
        worst = std::fmax(worst, check(of));
    }
    printf("%s%s: %zu cases, off by at most %.1e\n", NUMBER_NAME(NUMBER), BY_MMA ? " by mma" : "", cases.size(), worst);
}
