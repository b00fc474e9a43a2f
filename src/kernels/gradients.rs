//! What goes back through dense layers, norms and activations while a model learns.
//!
//! Sums over rows are made in blocks of a fixed size, in order: threads change no bit.

use super::dense::{PackedMatrix, linear};
use super::isa::current;
use super::math::{activated, erf, exp, tanh};
use super::simd::{Kernel, Simd};
use super::team::worth;
use super::{Activation, meter, parallel};

/// Rows whose sums are made together.
const ROWS: usize = 64;

/// `out (columns, rows)`: the matrix `x (rows, columns)` turned.
pub(super) fn transpose(x: &[f32], columns: usize, out: &mut [f32], threads: usize) {
    /// Columns that are written side by side, each a line of the cache.
    const SIDE: usize = 16;
    assert_eq!(x.len(), out.len(), "a matrix turned");
    let rows = x.len() / columns.max(1);
    if rows == 0 {
        return;
    }
    let share = columns.div_ceil(worth(threads, x.len())).next_multiple_of(SIDE);
    parallel(out.chunks_mut(share * rows).enumerate(), |(part, out)| {
        for (block, out) in out.chunks_mut(SIDE * rows).enumerate() {
            let first = part * share + block * SIDE;
            let width = out.len() / rows;
            for (row, from) in x.chunks_exact(columns).enumerate() {
                for (column, x) in from[first..first + width].iter().enumerate() {
                    out[column * rows + row] = *x;
                }
            }
        }
    });
}

/// `out (columns of a, columns of b)`: the product of `a (rows, columns)` turned with `b (rows, columns)`, the
/// gradient of a dense layer's weight from those of its output and its input.
pub fn transposed_product(a: &[f32], b: &[f32], rows: usize, out: &mut [f32], threads: usize) {
    if rows == 0 {
        return out.fill(0.0);
    }
    let (a_columns, b_columns) = (a.len() / rows, b.len() / rows);
    let mut turned = vec![0.0; a.len()];
    transpose(a, a_columns, &mut turned, threads);
    let b = PackedMatrix::of_lines(b, b_columns, rows, threads);
    linear(&turned, a_columns, &b, None, Activation::None, None, out, threads);
}

/// The sum of each column of `x (rows, columns)`.
pub fn column_sums(x: &[f32], columns: usize, threads: usize) -> Vec<f32> {
    let mut sums = vec![0.0; columns];
    let share = columns.div_ceil(worth(threads, x.len())).max(1);
    parallel(sums.chunks_mut(share).enumerate(), |(part, sums)| {
        let mut block_sums = vec![0.0; sums.len()];
        for block in x.chunks(ROWS * columns) {
            block_sums.fill(0.0);
            for row in block.chunks_exact(columns) {
                add(&mut block_sums, &row[part * share..]);
            }
            add(sums, &block_sums);
        }
    });
    sums
}

fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// `gradient`, that of `activation(x)`, becomes that of `x`.
pub fn activation_gradient(x: &[f32], activation: Activation, gradient: &mut [f32], threads: usize) {
    let _timer = meter::start(meter::Part::Rows);
    assert_eq!(x.len(), gradient.len(), "gradient of an activation");
    let share = x.len().div_ceil(worth(threads, x.len())).next_multiple_of(ROWS).max(1);
    let isa = current();
    parallel(x.chunks(share).zip(gradient.chunks_mut(share)), |(x, gradient)| {
        isa.run(Slope { x, activation, gradient });
    });
}

struct Slope<'a> {
    x: &'a [f32],
    activation: Activation,
    gradient: &'a mut [f32],
}

impl Kernel for Slope<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (x, gradient) in self.x.chunks(S::LANES).zip(self.gradient.chunks_mut(S::LANES)) {
            let slope = slope(s, self.activation, s.load_some(x));
            s.store_some(s.mul(s.load_some(gradient), slope), gradient);
        }
    }
}

/// The derivative of an activation.
#[inline(always)]
fn slope<S: Simd>(s: S, activation: Activation, x: S::V) -> S::V {
    let [zero, half, one] = [0.0, 0.5, 1.0].map(|x| s.splat(x));
    match activation {
        Activation::None => one,
        Activation::Gelu => {
            // The share below x of the normal distribution, and x times its density.
            let share = s.mul_add(half, erf(s, s.mul(x, s.splat(std::f32::consts::FRAC_1_SQRT_2))), half);
            let density = s.mul(s.splat(0.398_942_3), exp(s, s.mul(s.mul(x, x), s.splat(-0.5))));
            s.mul_add(x, density, share)
        }
        Activation::GeluTanh => {
            let square = s.mul(x, x);
            let inner = s.mul(s.splat(0.797_884_6), s.mul_add(s.mul(square, s.splat(0.044_715)), x, x));
            let inner_slope = s.mul(s.splat(0.797_884_6), s.mul_add(square, s.splat(3.0 * 0.044_715), one));
            let t = tanh(s, inner);
            let bend = s.mul(s.sub(one, s.mul(t, t)), s.mul(inner_slope, s.mul(x, half)));
            s.add(s.mul_add(half, t, half), bend)
        }
        Activation::Relu => s.less(zero, x, one, zero),
        Activation::Silu => {
            let share = s.div(one, s.add(exp(s, s.sub(zero, x)), one));
            s.mul(share, s.mul_add(x, s.sub(one, share), one))
        }
        Activation::Tanh => {
            let t = activated(s, Activation::Tanh, x);
            s.sub(one, s.mul(t, t))
        }
    }
}

/// The gradients of a layer norm's input `x (rows, width)`, which takes the place of that of its output in `gradient`,
/// and of its weight and bias, `(width)` each.
pub fn layer_norm_gradient(
    x: &[f32],
    weight: &[f32],
    eps: f32,
    gradient: &mut [f32],
    threads: usize,
) -> (Vec<f32>, Vec<f32>) {
    let sums = norm_gradient(x, weight, eps, true, gradient, threads);
    let (weight_sums, bias_sums) = sums.split_at(weight.len());
    (weight_sums.to_vec(), bias_sums.to_vec())
}

/// The same of a norm by the root of the mean square, without a bias.
pub fn rms_norm_gradient(x: &[f32], weight: &[f32], eps: f32, gradient: &mut [f32], threads: usize) -> Vec<f32> {
    let mut sums = norm_gradient(x, weight, eps, false, gradient, threads);
    sums.truncate(weight.len());
    sums
}

/// The same of both, where the mean is taken off first if `centred`: the gradients of weight and bias `(2 * width)`, added
/// up from blocks of rows.
fn norm_gradient(x: &[f32], weight: &[f32], eps: f32, centred: bool, gradient: &mut [f32], threads: usize) -> Vec<f32> {
    let _timer = meter::start(meter::Part::Rows);
    assert_eq!(x.len(), gradient.len(), "gradient of a norm");
    let width = weight.len();
    if x.is_empty() {
        return vec![0.0; 2 * width];
    }
    let blocks = x.len().div_ceil(ROWS * width);
    let share = blocks.div_ceil(worth(threads, x.len()));
    let mut sums = vec![0.0; blocks * 2 * width];
    let rows = x.chunks(share * ROWS * width).zip(gradient.chunks_mut(share * ROWS * width));
    let isa = current();
    parallel(rows.zip(sums.chunks_mut(share * 2 * width)), |((x, gradient), sums)| {
        let blocks = x.chunks(ROWS * width).zip(gradient.chunks_mut(ROWS * width));
        for ((x, gradient), sums) in blocks.zip(sums.chunks_mut(2 * width)) {
            let (weight_sums, bias_sums) = sums.split_at_mut(width);
            isa.run(NormBack { x, weight, eps, centred, gradient, weight_sums, bias_sums });
        }
    });
    let mut total = vec![0.0; 2 * width];
    sums.chunks_exact(2 * width).for_each(|sums| add(&mut total, sums));
    total
}

struct NormBack<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    eps: f32,
    /// Whether the mean is taken off first.
    centred: bool,
    gradient: &'a mut [f32],
    weight_sums: &'a mut [f32],
    bias_sums: &'a mut [f32],
}

impl Kernel for NormBack<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.weight.len();
        let mut normed = vec![0.0; width];
        for (x, gradient) in self.x.chunks_exact(width).zip(self.gradient.chunks_exact_mut(width)) {
            let mean = if self.centred { sum(s, x) / width as f32 } else { 0.0 };
            let mut squares = s.splat(0.0);
            for (x, normed) in x.chunks(S::LANES).zip(normed.chunks_mut(S::LANES)) {
                s.store_some(s.sub(s.load_some(x), s.splat(mean)), normed);
                let centred = s.load_some(normed);
                squares = s.mul_add(centred, centred, squares);
            }
            let inverse = 1.0 / (s.sum(squares) / width as f32 + self.eps).sqrt();
            let (mut along, mut total) = (s.splat(0.0), s.splat(0.0));
            for (at, gradient) in (0..width).step_by(S::LANES).zip(gradient.chunks_mut(S::LANES)) {
                let part = at..at + gradient.len();
                let unit = s.mul(s.load_some(&normed[part.clone()]), s.splat(inverse));
                s.store_some(unit, &mut normed[part.clone()]);
                let g = s.load_some(gradient);
                let sums = &mut self.weight_sums[part.clone()];
                s.store_some(s.mul_add(g, unit, s.load_some(sums)), sums);
                let sums = &mut self.bias_sums[part.clone()];
                s.store_some(s.add(g, s.load_some(sums)), sums);
                let g = s.mul(g, s.load_some(&self.weight[part]));
                s.store_some(g, gradient);
                along = s.mul_add(g, unit, along);
                total = s.add(total, g);
            }
            let along = s.splat(s.sum(along) / width as f32);
            let total = s.splat(if self.centred { s.sum(total) / width as f32 } else { 0.0 });
            for (normed, gradient) in normed.chunks(S::LANES).zip(gradient.chunks_mut(S::LANES)) {
                let g = s.sub(s.sub(s.load_some(gradient), total), s.mul(s.load_some(normed), along));
                s.store_some(s.mul(g, s.splat(inverse)), gradient);
            }
        }
    }
}

#[inline(always)]
fn sum<S: Simd>(s: S, x: &[f32]) -> f32 {
    let mut sum = s.splat(0.0);
    for x in x.chunks(S::LANES) {
        sum = s.add(sum, s.load_some(x));
    }
    s.sum(sum)
}

#[cfg(test)]
mod tests {
    use super::super::isa::Isa;
    use super::super::tests::{ACTIVATIONS, assert_close, expected_activation, in_f64, numbers, slopes};
    use super::*;

    fn plain_sums(x: &[f32], columns: usize) -> Vec<f64> {
        let sum = |column| x.chunks(columns).map(|row| f64::from(row[column])).sum();
        (0..columns).map(sum).collect()
    }

    #[test]
    fn matrices_are_turned_multiplied_and_added_up_as_by_plain_sums_on_every_instruction_set() {
        const OTHERS: usize = 33;
        for (rows, columns) in [(0, 5), (1, 1), (3, 50), (70, 17), (300, 130)] {
            let (x, other) = (numbers(rows * columns, 1), numbers(rows * OTHERS, 2));
            let turned: Vec<f32> = (0..x.len()).map(|at| x[at % rows * columns + at / rows]).collect();
            let product = |at: usize| {
                let products = x.chunks(columns).zip(other.chunks(OTHERS));
                products.map(|(x, other)| f64::from(x[at / OTHERS]) * f64::from(other[at % OTHERS])).sum()
            };
            let products: Vec<f64> = (0..columns * OTHERS).map(product).collect();
            Isa::each(|isa| {
                for threads in [1, 3] {
                    let what = format!("{} {rows}x{columns} on {threads} threads", isa.name());
                    let mut found = vec![f32::NAN; x.len()];
                    transpose(&x, columns, &mut found, threads);
                    assert_eq!(found, turned, "{what}");
                    let mut found = vec![f32::NAN; products.len()];
                    transposed_product(&x, &other, rows, &mut found, threads);
                    assert_close(&found, &products, 2e-5, &what);
                    assert_close(&column_sums(&x, columns, threads), &plain_sums(&x, columns), 1e-5, &what);
                }
            });
        }
    }

    #[test]
    fn gradients_of_activations_are_those_of_their_formulas_on_every_instruction_set() {
        let x: Vec<f32> = numbers(101, 1).iter().map(|x| 6.0 * x).collect();
        let gradient = numbers(x.len(), 2);
        for activation in ACTIVATIONS {
            let loss = |x: &[f64]| {
                let products =
                    x.iter().zip(&gradient).map(|(x, g)| expected_activation(activation, *x) * f64::from(*g));
                products.sum()
            };
            let expected = slopes(&x, loss);
            Isa::each(|isa| {
                let mut found = gradient.clone();
                activation_gradient(&x, activation, &mut found, 1);
                assert_close(&found, &expected, 1e-5, &format!("{} {activation:?}", isa.name()));
            });
        }
    }

    const EPS: f32 = 0.01;

    /// The sum of the normed rows times `gradient`.
    fn norm(x: &[f64], weight: &[f64], centred: bool, gradient: &[f32]) -> f64 {
        let width = weight.len();
        let of_row = |(x, gradient): (&[f64], &[f32])| -> f64 {
            let mean = if centred { x.iter().sum::<f64>() / width as f64 } else { 0.0 };
            let squares: f64 = x.iter().map(|x| (x - mean).powi(2)).sum();
            let scale = 1.0 / (squares / width as f64 + f64::from(EPS)).sqrt();
            (0..width).map(|i| (x[i] - mean) * scale * weight[i] * f64::from(gradient[i])).sum()
        };
        x.chunks(width).zip(gradient.chunks(width)).map(of_row).sum()
    }

    #[test]
    fn gradients_of_norms_are_those_of_their_formulas_on_every_instruction_set() {
        // More than are added up together.
        let rows = ROWS + 6;
        for (width, centred) in [1, 20, 37].into_iter().flat_map(|width| [(width, true), (width, false)]) {
            let (x, weight, gradient) = (numbers(rows * width, 1), numbers(width, 2), numbers(rows * width, 3));
            let of_x = slopes(&x, |x| norm(x, &in_f64(&weight), centred, &gradient));
            let of_weight = slopes(&weight, |weight| norm(&in_f64(&x), weight, centred, &gradient));
            Isa::each(|isa| {
                let what = format!("{} {width} wide, centred: {centred}", isa.name());
                let mut found = gradient.clone();
                let weight_sums = if centred {
                    let (weight_sums, bias_sums) = layer_norm_gradient(&x, &weight, EPS, &mut found, 1);
                    assert_close(&bias_sums, &plain_sums(&gradient, width), 1e-5, &what);
                    weight_sums
                } else {
                    rms_norm_gradient(&x, &weight, EPS, &mut found, 1)
                };
                assert_close(&weight_sums, &of_weight, 1e-5, &what);
                assert_close(&found, &of_x, 1e-5, &what);
            });
        }
    }

    #[test]
    fn threads_change_no_bit_of_a_gradient_on_any_instruction_set() {
        let (rows, width) = (700, 96);
        let (x, weight, gradient) = (numbers(rows * width, 1), numbers(width, 2), numbers(rows * width, 3));
        Isa::each(|isa| {
            let [one, three] = [1, 3].map(|threads| {
                let mut gradients = [(); 3].map(|()| gradient.clone());
                let [of_gelu, centred, plain] = &mut gradients;
                activation_gradient(&x, Activation::Gelu, of_gelu, threads);
                let (weight_sums, bias_sums) = layer_norm_gradient(&x, &weight, EPS, centred, threads);
                let rms_sums = rms_norm_gradient(&x, &weight, EPS, plain, threads);
                (gradients, weight_sums, bias_sums, rms_sums, column_sums(&x, width, threads))
            });
            assert_eq!(one, three, "{}", isa.name());
        });
    }
}
