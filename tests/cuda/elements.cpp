// Compares the CUDA kernels of what stands between products, run on the processor, with plain arithmetic in double.

#define NUMBER_NAME_(name) #name
#define NUMBER_NAME(name) NUMBER_NAME_(name)

#include "elements.cu"

#include <random>

// A result is rounded once to the type.
constexpr double TOLERANCE = sizeof(Number) == 4 ? 1e-6 : std::is_same_v<Number, __half> ? 6e-4 : 5e-3;

static std::mt19937 generator(1);

static std::vector<float> random_floats(size_t count) {
    std::normal_distribution<float> normal(0.0f, 2.0f);
    std::vector<float> numbers(count);
    for (float &number : numbers) {
        number = normal(generator);
    }
    return numbers;
}

static std::vector<Number> random_numbers(size_t count) {
    std::vector<Number> numbers(count);
    const std::vector<float> floats = random_floats(count);
    for (size_t i = 0; i < count; i++) {
        assign(numbers[i], floats[i]);
    }
    return numbers;
}

static double plain(int activation, double x) {
    switch (activation) {
    case GELU:
        return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
    case GELU_TANH:
        return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
    case RELU:
        return x < 0.0 ? 0.0 : x;
    case SILU:
        return x / (1.0 + std::exp(-x));
    case TANH:
        return std::tanh(x);
    default:
        return x;
    }
}

static double worst = 0.0;

static void compare(const char *what, double expected, Number found) {
    const double difference = std::fabs(expected - to_float(found)) / std::fmax(1.0, std::fabs(expected));
    if (!(difference <= TOLERANCE)) {
        fprintf(stderr, "%s: %g instead of %g\n", what, to_float(found), expected);
        exit(1);
    }
    worst = std::fmax(worst, difference);
}

static void run(int rows, const std::function<void()> &kernel) {
    gridDim = {unsigned(rows), 1};
    for (int row = 0; row < rows; row++) {
        blockIdx = {unsigned(row), 0};
        run_block(THREADS, row % 2, kernel);
    }
}

static void check_finish(int width, int activation, bool with_bias, bool with_residual, int shift) {
    const int rows = 3;
    // Begun `shift` elements late, rows do not lie in parts of 16 bytes.
    std::vector<Number> all = random_numbers(rows * width + shift), before = all;
    const std::vector<Number> bias = random_numbers(width), residual = random_numbers(rows * width);
    run(rows, [&] {
        finish(all.data() + shift, with_bias ? bias.data() : nullptr, with_residual ? residual.data() : nullptr, width,
               activation);
    });
    for (int at = 0; at < rows * width; at++) {
        const double x = to_float(before[shift + at]) + (with_bias ? to_float(bias[at % width]) : 0.0f);
        compare("finish", plain(activation, x) + (with_residual ? to_float(residual[at]) : 0.0f), all[shift + at]);
    }
}

static void check_gate(int width, int activation) {
    const int rows = 3;
    const std::vector<Number> x = random_numbers(2 * rows * width);
    std::vector<Number> out = random_numbers(rows * width);
    run(rows, [&] { gate(x.data(), out.data(), width, activation); });
    for (int at = 0; at < rows * width; at++) {
        const Number *row = x.data() + 2 * (at / width) * width;
        compare("gate", plain(activation, to_float(row[at % width])) * to_float(row[width + at % width]), out[at]);
    }
}

static void check_turn(int heads, int half) {
    const std::vector<unsigned> positions = {0, 1, 0, 4};
    const int rows = int(positions.size()), width = 3 * heads * half;
    const std::vector<float> cos = random_floats(5 * half), sin = random_floats(5 * half);
    std::vector<Number> x = random_numbers(rows * width), before = x;
    run(rows, [&] { turn(x.data(), positions.data(), cos.data(), sin.data(), width, heads, half); });
    for (int at = 0; at < rows * width; at++) {
        const int row = at / width, column = at % width, inside = column % (2 * half), pair = inside % half;
        if (column >= 2 * heads * half) {
            compare("behind the heads", to_float(before[at]), x[at]);
            continue;
        }
        const int first = at - inside + pair, angle = int(positions[row]) * half + pair;
        const double a = to_float(before[first]), b = to_float(before[first + half]);
        compare("turn", inside < half ? a * cos[angle] - b * sin[angle] : b * cos[angle] + a * sin[angle], x[at]);
    }
}

int main() {
    for (const int width : {1, 8, 21, 24, 768, 1032, 3072}) {
        for (int activation = NONE; activation <= TANH; activation++) {
            for (int with = 0; with < 4; with++) {
                check_finish(width, activation, with & 1, with & 2, 0);
            }
            check_finish(width, activation, true, true, 1);
            check_gate(width, activation);
        }
    }
    for (const int half : {1, 6, 32, 40}) {
        check_turn(4, half);
        check_turn(24, half);
    }
    printf("%s: elements, off by at most %.1e\n", NUMBER_NAME(NUMBER), worst);
}
