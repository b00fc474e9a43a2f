//! Every instruction set of this machine against plain sums in `f64`.
#![allow(clippy::unwrap_used)]

use super::math;
use super::simd::{Kernel, Simd};
use super::*;

/// Numbers in -1..1 without a pattern.
pub(super) fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

pub(super) fn in_f64(x: &[f32]) -> Vec<f64> {
    x.iter().copied().map(f64::from).collect()
}

#[track_caller]
pub(super) fn assert_close(got: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(*g) - e).abs();
        assert!(error <= tolerance * e.abs().max(1.0), "{what}: element {i} is {g}, expected {e}");
    }
}

/// How fast `loss` grows with each number of `x`, from a small step to both sides.
pub(super) fn slopes(x: &[f32], loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let (count, mut x) = (x.len(), in_f64(x));
    let slope = |at: usize| {
        let middle = x[at];
        let [above, below] = [STEP, -STEP].map(|step| {
            x[at] = middle + step;
            loss(&x)
        });
        x[at] = middle;
        (above - below) / (2.0 * STEP)
    };
    (0..count).map(slope).collect()
}

/// The series with terms of one sign: exact to the last bits of `f64` for the numbers used here.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-18 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
}

pub(super) fn expected_activation(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::None => x,
        Activation::Gelu => 0.5 * x * (1.0 + erf(x / 2f64.sqrt())),
        Activation::GeluTanh => {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
        }
        Activation::Relu => x.max(0.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
    }
}

pub(super) const ACTIVATIONS: [Activation; 6] =
    [Activation::None, Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Silu, Activation::Tanh];

fn pack(weight: &[f32], out_features: usize, in_features: usize) -> PackedMatrix {
    PackedMatrix::new(weight, out_features, in_features, Precision::Split)
}

const PRECISIONS: [Precision; 4] = [Precision::F32, Precision::Split, Precision::Bf16, Precision::Int8];

#[test]
fn a_dense_layer_equals_the_plain_sum_on_every_instruction_set() {
    Isa::each(|isa| {
        for (rows, depth, columns) in
            [(0, 5, 3), (1, 1, 1), (3, 48, 12), (14, 20, 33), (29, 17, 65), (61, 96, 100), (17, 512, 9)]
        {
            for activation in ACTIVATIONS {
                let (x, weight) = (numbers(rows * depth, 1), numbers(columns * depth, 2));
                let (bias, residual) = (numbers(columns, 3), numbers(rows * columns, 4));
                let expected: Vec<f64> = (0..rows * columns)
                    .map(|i| {
                        let (x, w) = (&x[i / columns * depth..][..depth], &weight[i % columns * depth..][..depth]);
                        let dot: f64 = x.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                        expected_activation(activation, dot + f64::from(bias[i % columns])) + f64::from(residual[i])
                    })
                    .collect();
                let mut out = vec![f32::NAN; rows * columns];
                let w = pack(&weight, columns, depth);
                linear(&x, rows, &w, Some(&bias), activation, Some(&residual), &mut out, 1);
                // Rounding grows with the sum: half a unit in the last place for each term, or of 16 bits.
                let bits = if isa == Isa::Amx { -17 } else { -24 };
                let tolerance = (depth as f64 * 2f64.powi(bits)).max(5e-6);
                let what = format!("{} {rows}x{depth}x{columns} {activation:?}", isa.name());
                assert_close(&out, &expected, tolerance, &what);
            }
        }
    });
}

#[test]
fn rows_longer_than_a_cache_are_multiplied() {
    const DEPTH: usize = 600_000;
    Isa::each(|isa| {
        for precision in PRECISIONS {
            let w = PackedMatrix::new(&[1.0; DEPTH], 1, DEPTH, precision);
            let mut out = [f32::NAN];
            linear(&[1.0; DEPTH], 1, &w, None, Activation::None, None, &mut out, 1);
            assert!((out[0] / DEPTH as f32 - 1.0).abs() < 1e-6, "{} {precision:?} {}", isa.name(), out[0]);
        }
    });
}

#[test]
fn a_gated_layer_has_the_bits_of_its_two_halves() {
    Isa::each(|isa| {
        for precision in PRECISIONS {
            for (rows, depth, columns) in
                [(0, 5, 3), (1, 1, 1), (3, 48, 12), (5, 130, 160), (29, 17, 65), (61, 96, 100)]
            {
                let (x, weight, bias) =
                    (numbers(rows * depth, 1), numbers(2 * columns * depth, 2), numbers(2 * columns, 3));
                let both = PackedMatrix::new(&weight, 2 * columns, depth, precision);
                let packed = PackedMatrix::gated(&weight, columns, depth, precision);
                let of_gated = PackedMatrix::bias_of_gated(&bias);
                for activation in ACTIVATIONS {
                    let mut halves = vec![f32::NAN; rows * 2 * columns];
                    linear(&x, rows, &both, Some(&bias), Activation::None, None, &mut halves, 1);
                    let mut expected = vec![f32::NAN; rows * columns];
                    gated(&halves, columns, activation, &mut expected);
                    for threads in [1, 3] {
                        let mut out = vec![f32::NAN; rows * columns];
                        linear(&x, rows, &packed, Some(&of_gated), activation, None, &mut out, threads);
                        let what = format!("{} {precision:?} {rows}x{depth}x{columns} {activation:?}", isa.name());
                        assert_eq!(out, expected, "{what}");
                    }
                }
            }
        }
    });
}

#[test]
fn the_product_of_two_rows_has_the_same_bits_whatever_is_multiplied_beside_them() {
    Isa::each(|isa| {
        for width in [1, 7, 16, 50, 384, 5000] {
            let (a, b) = (numbers(5 * width, 1), numbers(40 * width, 2));
            let pairs = [(0, 0..40), (1, 0..40), (4, 3..20), (2, 7..8), (3, 9..9), (3, 20..37)];
            let each = || pairs.iter().flat_map(|(row, rows)| rows.clone().map(move |other| (*row, other)));
            let plain = |(row, other): (usize, usize)| -> f64 {
                let (a, b) = (&a[row * width..][..width], &b[other * width..][..width]);
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let alone = |(row, other): (usize, usize)| {
                let mut out = [f32::NAN];
                row_products(&a, &b, width, &[(row, other..other + 1)], &mut out, 1);
                out[0].to_bits()
            };
            for threads in [1, 3] {
                let mut out = vec![f32::NAN; each().count()];
                row_products(&a, &b, width, &pairs, &mut out, threads);
                let what = format!("{} {width} wide on {threads} threads", isa.name());
                let tolerance = (width as f64 * 2f64.powi(-24)).max(5e-6);
                assert_close(&out, &each().map(plain).collect::<Vec<_>>(), tolerance, &what);
                let bits: Vec<u32> = out.iter().map(|x| x.to_bits()).collect();
                assert_eq!(bits, each().map(alone).collect::<Vec<_>>(), "{what}");
            }
        }
    });
}

#[test]
fn factors_of_sixteen_bits_cost_no_more_than_their_rounding() {
    Isa::each(|isa| {
        for (rows, depth, columns) in [(1, 1, 1), (3, 48, 12), (29, 17, 65), (61, 96, 100)] {
            let (x, weight) = (numbers(rows * depth, 1), numbers(columns * depth, 2));
            let w = PackedMatrix::new(&weight, columns, depth, Precision::Bf16);
            let mut out = vec![f32::NAN; rows * columns];
            linear(&x, rows, &w, None, Activation::None, None, &mut out, 1);
            for (i, got) in out.iter().enumerate() {
                let (x, w) = (&x[i / columns * depth..][..depth], &weight[i % columns * depth..][..depth]);
                let products = x.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b));
                let (sum, size) = products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()));
                // Both factors are rounded to 8 bits.
                let error = (f64::from(*got) - sum).abs();
                assert!(
                    error <= 2.1 * 2f64.powi(-9) * size,
                    "{} {rows}x{depth}x{columns}: {got}, not {sum}",
                    isa.name()
                );
            }
        }
    });
}

/// The steps, or fewer, that the range of a block of rows, and of columns to one side, is cut into.
fn steps(precision: Precision) -> [f64; 2] {
    match precision {
        Precision::Int8 => [255.0, 127.0],
        _ => [8191.0, 4095.0],
    }
}

#[test]
fn whole_factors_cost_no_more_than_half_a_step_of_their_block() {
    const BLOCK: usize = 64;
    Isa::each(|isa| {
        let precisions = if isa == Isa::Avx2 { &[Precision::Int8, Precision::Bf16][..] } else { &[Precision::Int8] };
        for &precision in precisions {
            let [row_steps, column_steps] = steps(precision);
            for (rows, depth, columns) in
                [(0, 3, 2), (1, 1, 1), (3, 48, 12), (29, 65, 33), (15, 128, 32), (61, 196, 100)]
            {
                let (mut x, weight) = (numbers(rows * depth, 1), numbers(columns * depth, 2));
                // Far numbers, tiny ones and blocks of a single value.
                x.iter_mut().step_by(171).for_each(|x| *x *= 1e4);
                x.chunks_mut(depth).skip(1).step_by(3).for_each(|row| row.iter_mut().for_each(|x| *x *= 1e-38));
                x.chunks_mut(depth).skip(2).step_by(3).for_each(|row| row.fill(row[0]));
                let w = PackedMatrix::new(&weight, columns, depth, precision);
                let mut out = vec![f32::NAN; rows * columns];
                linear(&x, rows, &w, None, Activation::None, None, &mut out, 1);
                for (i, got) in out.iter().enumerate() {
                    let (x, w) = (&x[i / columns * depth..][..depth], &weight[i % columns * depth..][..depth]);
                    let (mut sum, mut allowed) = (0.0, 0.0);
                    for (x, w) in x.chunks(BLOCK).zip(w.chunks(BLOCK)) {
                        let least = x.iter().copied().fold(f32::INFINITY, f32::min);
                        let greatest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                        let x_step = f64::from(greatest - least) / row_steps;
                        let w_step = w.iter().map(|w| f64::from(w.abs())).fold(0.0, f64::max) / column_steps;
                        for (x, w) in x.iter().zip(w).map(|(x, w)| (f64::from(*x), f64::from(*w))) {
                            sum += x * w;
                            allowed += x.abs() * w_step / 2.0 + w.abs() * x_step / 2.0 + x_step * w_step / 4.0;
                            // Of the sums in f32.
                            allowed += (x * w).abs() * 2f64.powi(-21);
                        }
                    }
                    let error = (f64::from(*got) - sum).abs();
                    let what = format!("{} {precision:?} {rows}x{depth}x{columns} element {i}", isa.name());
                    // Steps that have no inverse are not made.
                    let allowed = 1.0001 * allowed + 1e-32;
                    assert!(error <= allowed, "{what}: {got:e}, not {sum:e}; {allowed:e} are allowed");
                }
            }
        }
    });
}

#[test]
fn whole_factors_as_large_as_they_can_be_do_not_run_over() {
    Isa::each(|isa| {
        for precision in PRECISIONS {
            for (greatest, weight) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0)] {
                // One number at the other end of the range, so that all others are at the first.
                let mut x = [greatest; 128];
                (x[0], x[64]) = (0.0, 0.0);
                let w = PackedMatrix::new(&[weight; 128], 1, 128, precision);
                let mut out = [f32::NAN];
                linear(&x, 1, &w, None, Activation::None, None, &mut out, 1);
                let expected = 126.0 * greatest * weight;
                assert!((out[0] - expected).abs() < 1e-3, "{} {precision:?}: {}, not {expected}", isa.name(), out[0]);
            }
        }
    });
}

#[test]
fn a_row_of_a_dense_layer_is_the_same_bits_in_any_company_on_any_threads() {
    Isa::each(|isa| {
        for (depth, precision) in PRECISIONS.into_iter().flat_map(|precision| [(100, precision), (512, precision)]) {
            let (rows, columns) = (131, 331);
            let (x, weight, bias) = (numbers(rows * depth, 1), numbers(columns * depth, 2), numbers(columns, 3));
            let w = PackedMatrix::new(&weight, columns, depth, precision);
            let run = |x: &[f32], threads| {
                let mut out = vec![0.0; x.len() / depth * columns];
                linear(x, x.len() / depth, &w, Some(&bias), Activation::Gelu, None, &mut out, threads);
                out
            };
            let all = run(&x, 1);
            assert_eq!(all, run(&x, 2), "{} two threads", isa.name());
            for (first, count) in [(0, 1), (7, 1), (130, 1), (5, 13), (40, 90)] {
                let some = run(&x[first * depth..][..count * depth], 1);
                assert_eq!(some, all[first * columns..][..count * columns], "{} rows {first}+{count}", isa.name());
            }
        }
    });
}

#[test]
fn blocks_of_rows_do_not_show() {
    // More rows than a block holds.
    let (rows, depth, columns) = (700, 700, 3);
    let (x, weight) = (numbers(rows * depth, 1), numbers(columns * depth, 2));
    let residual = numbers(rows * columns, 4);
    Isa::each(|isa| {
        for precision in PRECISIONS {
            let w = PackedMatrix::new(&weight, columns, depth, precision);
            let mut all = vec![0.0; rows * columns];
            linear(&x, rows, &w, None, Activation::None, Some(&residual), &mut all, 1);
            for row in [0, 1, 250, 699] {
                let mut one = vec![0.0; columns];
                let (x, residual) = (&x[row * depth..][..depth], &residual[row * columns..][..columns]);
                linear(x, 1, &w, None, Activation::None, Some(residual), &mut one, 1);
                assert_eq!(one, all[row * columns..][..columns], "{} {precision:?} row {row}", isa.name());
            }
        }
    });
}

#[test]
fn few_rows_are_divided_by_columns_without_a_change_of_bits() {
    let (rows, depth, columns) = (5, 1000, 701);
    let (x, weight, bias) = (numbers(rows * depth, 1), numbers(columns * depth, 2), numbers(columns, 3));
    let residual = numbers(rows * columns, 4);
    Isa::each(|isa| {
        for precision in PRECISIONS {
            let w = PackedMatrix::new(&weight, columns, depth, precision);
            let [one, three] = [1, 3].map(|threads| {
                let mut out = vec![0.0; rows * columns];
                linear(&x, rows, &w, Some(&bias), Activation::Silu, Some(&residual), &mut out, threads);
                out
            });
            assert_eq!(one, three, "{}", isa.name());
        }
    });
}

#[test]
fn layer_norm_equals_the_plain_formula_on_every_instruction_set() {
    Isa::each(|isa| {
        for width in [1, 12, 48, 100, 768] {
            let (x, weight, bias) = (numbers(3 * width, 1), numbers(width, 2), numbers(width, 3));
            let expected: Vec<f64> = x
                .chunks(width)
                .flat_map(|row| {
                    let row: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
                    let mean = row.iter().sum::<f64>() / width as f64;
                    let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / width as f64;
                    let scale = 1.0 / (variance + 1e-5).sqrt();
                    let (weight, bias) = (&weight, &bias);
                    (0..width)
                        .map(move |i| (row[i] - mean) * scale * f64::from(weight[i]) + f64::from(bias[i]))
                        .collect::<Vec<_>>()
                })
                .collect();
            let mut out = vec![0.0; x.len()];
            layer_norm(&x, &weight, Some(&bias), 1e-5, &mut out, 1);
            assert_close(&out, &expected, 3e-6, &format!("{} {width}", isa.name()));
        }
    });
}

#[test]
fn rms_norm_equals_the_plain_formula_on_every_instruction_set() {
    Isa::each(|isa| {
        for width in [1, 16, 45] {
            let (x, weight) = (numbers(3 * width, 8), numbers(width, 9));
            let expected: Vec<f64> = x
                .chunks(width)
                .flat_map(|row| {
                    let square = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / width as f64;
                    let scale = 1.0 / (square + 1e-6).sqrt();
                    row.iter().zip(&weight).map(move |(x, w)| f64::from(*x) * scale * f64::from(*w))
                })
                .collect();
            let mut out = vec![f32::NAN; 3 * width];
            rms_norm(&x, &weight, 1e-6, &mut out, 1);
            assert_close(&out, &expected, 1e-6, isa.name());
        }
    });
}

#[test]
fn a_gate_multiplies_the_activated_first_half_with_the_second() {
    Isa::each(|isa| {
        let x = numbers(2 * 2 * 21, 5);
        let expected: Vec<f64> = x
            .chunks(42)
            .flat_map(|row| {
                (0..21).map(|i| expected_activation(Activation::Gelu, f64::from(row[i])) * f64::from(row[21 + i]))
            })
            .collect();
        let mut out = vec![0.0; 42];
        gated(&x, 21, Activation::Gelu, &mut out);
        assert_close(&out, &expected, 1e-6, isa.name());
    });
}

#[test]
fn heads_turn_by_their_angles_and_back() {
    // Vectors and a rest; the last columns of a row are no heads. Rows enough for two threads.
    let (heads, half) = (2, 19);
    let width = 2 * heads * half + 5;
    let positions: Vec<usize> = (0..1000).map(|row| row % 7).collect();
    let x = numbers(width * positions.len(), 1);
    let angles = numbers(7 * half, 2);
    let [cos, sin] = [f32::cos, f32::sin].map(|f| angles.iter().copied().map(f).collect::<Vec<f32>>());
    let turn = |sign| Rotation { heads, half, angles: [&cos, &sin], sign };
    let expected: Vec<f64> = (0..x.len())
        .map(|at| {
            let (row, head, column) = (at / width, at % width / (2 * half), at % width % (2 * half));
            if head == heads {
                return f64::from(x[at]);
            }
            let (x, i) = (|i: usize| f64::from(x[row * width + head * 2 * half + i]), column % half);
            let (sin, cos) = f64::from(angles[positions[row] * half + i]).sin_cos();
            if column < half { x(i) * cos - x(half + i) * sin } else { x(half + i) * cos + x(i) * sin }
        })
        .collect();
    Isa::each(|isa| {
        let mut turned = x.clone();
        rotate(&mut turned, &positions, turn(1.0), 2);
        assert_close(&turned, &expected, 1e-6, &format!("{} turned", isa.name()));
        rotate(&mut turned, &positions, turn(-1.0), 1);
        assert_close(&turned, &in_f64(&x), 1e-6, &format!("{} turned back", isa.name()));
    });
}

/// Every 1000th float of both signs from 2^-20 up to a bound.
fn sweep(bound: f32) -> Vec<f32> {
    let bits = 2f32.powi(-20).to_bits()..bound.to_bits();
    bits.step_by(1000).map(f32::from_bits).flat_map(|x| [x, -x]).collect()
}

struct Map<'a>(&'a mut [f32], Function);

#[derive(Clone, Copy)]
enum Function {
    Exp,
    Erf,
    Tanh,
}

impl Kernel for Map<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for x in self.0.chunks_mut(S::LANES) {
            let v = s.load_some(x);
            let v = match self.1 {
                Function::Exp => math::exp(s, v),
                Function::Erf => math::erf(s, v),
                Function::Tanh => math::tanh(s, v),
            };
            s.store_some(v, x);
        }
    }
}

#[test]
fn exp_erf_and_tanh_keep_to_their_stated_errors() {
    Isa::each(|isa| {
        for (function, exact, relative, bound, tolerance) in [
            (Function::Exp, f64::exp as fn(f64) -> f64, true, 87.0, 2e-7),
            (Function::Erf, erf as fn(f64) -> f64, false, 6.0, 2.5e-7),
            (Function::Tanh, f64::tanh as fn(f64) -> f64, true, 20.0, 3e-7),
        ] {
            let x = sweep(bound);
            let mut y = x.clone();
            isa.run(Map(&mut y, function));
            let error = |(x, y): (&f32, &f32)| {
                let exact = exact(f64::from(*x));
                (f64::from(*y) - exact).abs() / if relative { exact.abs() } else { 1.0 }
            };
            let worst = x.iter().zip(&y).map(error).fold(0.0, f64::max);
            assert!(worst < tolerance, "{}: worst error {worst}", isa.name());
        }
    });
}

#[test]
fn infinities_and_nan_pass_through() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    Isa::each(|isa| {
        let mut x = [-inf, inf, nan, -200.0, 200.0];
        isa.run(Map(&mut x, Function::Exp));
        assert!(x[0] == 0.0 && x[1] == inf && x[2].is_nan() && x[3] == 0.0 && x[4] == inf, "{x:?}");
        for activation in ACTIVATIONS {
            let mut x = [nan, 1.0, inf];
            activate(&mut x, activation, 1);
            assert!(x[0].is_nan() && x[1].is_finite(), "{activation:?} {x:?}");
            assert_eq!(x[2], if activation == Activation::Tanh { 1.0 } else { inf }, "{activation:?}");
        }
        for precision in PRECISIONS {
            let w = PackedMatrix::new(&[1.0; 6], 3, 2, precision);
            let mut out = [0.0; 9];
            linear(&[nan, 1.0, 2.0, 3.0, -1.0, inf], 3, &w, None, Activation::None, None, &mut out, 1);
            assert!(out[..3].iter().all(|v| v.is_nan()) && out[6..].iter().all(|v| !v.is_finite()), "{out:?}");
            assert!(out[3..6].iter().all(|v| (v - 5.0).abs() < 1e-6), "{precision:?} {out:?}");
        }
    });
}

/// The operands of one attention call over a fused `(tokens, 3 * width)` buffer.
struct Case {
    bounds: Vec<usize>,
    heads: usize,
    dim: usize,
    window: Option<usize>,
    causal: bool,
    /// The keys of each sequence, where they are not its own rows.
    keys: Option<Vec<std::ops::Range<usize>>>,
    /// The rows that are read, where not all are.
    read: Option<Vec<usize>>,
    qkv: Vec<f32>,
    precision: Precision,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    Relative,
    Disentangled,
}

const MAX_LEN: usize = 150;
const MAX_DISTANCE: usize = 20;
const POSITIONS: usize = 64;

impl Case {
    fn new(bounds: &[usize], heads: usize, dim: usize, window: Option<usize>, causal: bool) -> Self {
        let tokens = *bounds.last().unwrap();
        let qkv = numbers(tokens * 3 * heads * dim, 9).iter().map(|x| 2.0 * x).collect();
        Self {
            bounds: bounds.to_vec(),
            heads,
            dim,
            window,
            causal,
            keys: None,
            read: None,
            qkv,
            precision: Precision::F32,
        }
    }

    fn with(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    fn width(&self) -> usize {
        self.heads * self.dim
    }

    fn positions(&self, seed: u32) -> Vec<f32> {
        numbers(POSITIONS * self.width(), seed)
    }

    fn table(&self) -> Vec<f32> {
        numbers(self.heads * (2 * MAX_DISTANCE + 1), 7)
    }

    /// Like DeBERTa's: one position for each small distance, then several distances to a position.
    fn index(sign: i64) -> Vec<u32> {
        let bucket = |d: i64| if d.abs() < 28 { d } else { d.signum() * (28 + (d.abs() - 28) / 20) };
        (1 - MAX_LEN as i64..MAX_LEN as i64)
            .map(|d| (sign * bucket(d) + POSITIONS as i64 / 2).clamp(0, POSITIONS as i64 - 1) as u32)
            .collect()
    }

    fn run(&self, kind: Kind, threads: usize) -> Vec<f32> {
        let width = self.width();
        let rows = |part: usize| Rows { data: &self.qkv, stride: 3 * width, offset: part * width };
        let shape = AttentionShape {
            precision: self.precision,
            bounds: &self.bounds,
            heads: self.heads,
            head_dim: self.dim,
            scale: 0.3,
            window: self.window,
            causal: self.causal,
            read: self.read.as_deref(),
        };
        let [keys, queries] = [11, 12]
            .map(|seed| PositionTable::new(&self.positions(seed), POSITIONS, self.heads, self.dim, self.precision));
        let (falling, rising, table) = (Self::index(1), Self::index(-1), self.table());
        let bias = match kind {
            Kind::Plain => Bias::None,
            Kind::Relative => Bias::Relative { table: &table, max_distance: MAX_DISTANCE },
            Kind::Disentangled => Bias::Disentangled(Disentangled {
                c2p: Some(DistanceTable { positions: &keys, index: &falling }),
                p2c: Some(DistanceTable { positions: &queries, index: &rising }),
                max_len: MAX_LEN,
            }),
        };
        let mut out = vec![f32::NAN; self.bounds.last().unwrap() * width];
        attention(rows(0), rows(1), rows(2), &shape, self.keys.as_deref(), bias, &mut out, threads);
        out
    }

    fn expected(&self, kind: Kind) -> Vec<f64> {
        let width = self.width();
        let mut out = vec![0.0; self.bounds.last().unwrap() * width];
        for (sequence, s) in self.bounds.windows(2).enumerate() {
            let all = self.keys.as_ref().map_or(s[0]..s[1], |keys| keys[sequence].clone());
            for h in 0..self.heads {
                for i in s[0]..s[1] {
                    let distance = |j: usize| (j - all.start) as i64 - (i - s[0]) as i64;
                    let near = |j: &usize| self.window.is_none_or(|w| distance(*j).unsigned_abs() as usize <= w);
                    let sees = |j: &usize| (!self.causal || distance(*j) <= 0) && near(j);
                    let keys: Vec<usize> = all.clone().filter(sees).collect();
                    let scores: Vec<f64> = keys.iter().map(|j| self.score(kind, h, [i, *j], distance(*j))).collect();
                    let max = scores.iter().copied().fold(f64::MIN, f64::max);
                    let sum: f64 = scores.iter().map(|x| (x - max).exp()).sum();
                    for (j, x) in keys.iter().zip(scores) {
                        for d in 0..self.dim {
                            let v = self.qkv[j * 3 * width + 2 * width + h * self.dim + d];
                            out[i * width + h * self.dim + d] += (x - max).exp() / sum * f64::from(v);
                        }
                    }
                }
            }
        }
        out
    }

    fn score(&self, kind: Kind, h: usize, [i, j]: [usize; 2], distance: i64) -> f64 {
        let width = self.width();
        let part = |row: usize, part: usize| &self.qkv[row * 3 * width + part * width + h * self.dim..][..self.dim];
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let (q, k) = (part(i, 0), part(j, 1));
        let at = (MAX_LEN as i64 - 1 - distance) as usize;
        match kind {
            Kind::Plain => 0.3 * dot(q, k),
            Kind::Relative => {
                let distance = distance.clamp(-(MAX_DISTANCE as i64), MAX_DISTANCE as i64);
                let at = (distance + MAX_DISTANCE as i64) as usize;
                0.3 * dot(q, k) + f64::from(self.table()[h * (2 * MAX_DISTANCE + 1) + at])
            }
            Kind::Disentangled => {
                let (keys, queries) = (self.positions(11), self.positions(12));
                let row = |m: &[f32], p: u32| m[p as usize * width + h * self.dim..][..self.dim].to_vec();
                let c2p = dot(q, &row(&keys, Self::index(1)[at]));
                let p2c = dot(k, &row(&queries, Self::index(-1)[at]));
                0.3 * (dot(q, k) + c2p + p2c)
            }
        }
    }
}

#[test]
fn attention_equals_the_plain_formula_on_every_instruction_set() {
    Isa::each(|isa| {
        for (window, causal) in [(None, false), (Some(5), false), (Some(40), false), (None, true), (Some(3), true)] {
            for kind in [Kind::Plain, Kind::Relative, Kind::Disentangled] {
                let case = Case::new(&[0, 1, 1, 38, 170], 2, 12, window, causal);
                let what = format!("{} {kind:?} window {window:?} causal {causal}", isa.name());
                assert_close(&case.run(kind, 1), &case.expected(kind), 2e-6, &what);
            }
        }
        let case = Case::new(&[0, 70], 1, 64, None, false);
        assert_close(&case.run(Kind::Disentangled, 1), &case.expected(Kind::Disentangled), 1e-5, isa.name());
    });
}

#[test]
fn attention_in_bfloat16_is_near_the_plain_formula() {
    Isa::each(|isa| {
        for (window, causal) in [(None, false), (Some(5), false), (Some(40), true)] {
            for kind in [Kind::Plain, Kind::Relative, Kind::Disentangled] {
                let case = Case::new(&[0, 1, 1, 38, 171], 2, 13, window, causal).with(Precision::Bf16);
                let what = format!("{} {kind:?} window {window:?} causal {causal}", isa.name());
                assert_close(&case.run(kind, 1), &case.expected(kind), 2e-2, &what);
            }
        }
    });
}

#[test]
fn attention_over_other_rows_equals_the_plain_formula() {
    // The rows of another text, and the first rows of its own.
    let (other, own) = ([0..60, 60..60, 60..61, 61..140], [0..1, 1..1, 1..30, 38..90]);
    Isa::each(|isa| {
        for (window, keys) in [(None, &other), (None, &own), (Some(6), &own)] {
            for kind in [Kind::Plain, Kind::Relative, Kind::Disentangled] {
                let mut case = Case::new(&[0, 1, 1, 38, 170], 2, 12, window, false);
                case.keys = Some(keys.to_vec());
                let what = format!("{} {kind:?} window {window:?} keys {keys:?}", isa.name());
                let found = case.run(kind, 1);
                assert_close(&found, &case.expected(kind), 2e-6, &what);
                assert_eq!(found, case.run(kind, 3), "{what}");
            }
        }
    });
}

struct Turn<'a> {
    from: &'a [f32],
    stride: usize,
    what: &'a str,
}

impl Kernel for Turn<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Turn { from, stride, what } = self;
        let mut to = vec![f32::NAN; S::LANES * S::LANES];
        s.turn(from, stride, &mut to);
        for (row, to) in to.chunks(S::LANES).enumerate() {
            for (column, to) in to.iter().enumerate() {
                assert_eq!(*to, from[column * stride + S::LANES - 1 - row], "{what}: row {row}, column {column}");
            }
        }
    }
}

#[test]
fn a_square_is_turned_to_the_left_on_every_instruction_set() {
    Isa::each(|isa| {
        for stride in [16, 19] {
            isa.run(Turn { from: &numbers(15 * stride + 16, 5), stride, what: isa.name() });
        }
    });
}

#[test]
fn attention_over_more_keys_than_any_text_has_words() {
    Isa::each(|isa| {
        for kind in [Kind::Plain, Kind::Relative, Kind::Disentangled] {
            let mut case = Case::new(&[0, 10], 2, 12, None, false);
            case.qkv = numbers(60 * 3 * case.width(), 9);
            case.keys = Some(vec![0..60; 1]);
            assert_close(&case.run(kind, 2), &case.expected(kind), 2e-6, &format!("{} {kind:?}", isa.name()));
        }
    });
}

#[test]
fn threads_do_not_change_which_rows_a_value_out_of_their_window_reaches() {
    Isa::each(|isa| {
        for precision in [Precision::F32, Precision::Bf16] {
            let mut case = Case::new(&[0, 600], 1, 8, Some(5), false).with(precision);
            for row in (0..600).step_by(97) {
                case.qkv[row * 24 + 16] = f32::INFINITY;
            }
            let bits = |threads| case.run(Kind::Plain, threads).iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            for threads in 2..7 {
                assert_eq!(bits(1), bits(threads), "{} {precision:?} {threads} threads", isa.name());
            }
        }
    });
}

#[test]
fn attention_of_a_sequence_is_the_same_bits_in_any_company_on_any_threads() {
    Isa::each(|isa| {
        let kinds = [Kind::Plain, Kind::Relative, Kind::Disentangled];
        for (kind, precision) in kinds.into_iter().flat_map(|kind| [(kind, Precision::F32), (kind, Precision::Bf16)]) {
            for window in [None, Some(30), Some(31)] {
                let bounds = [0, 37, 40, 150, 289];
                let case = Case::new(&bounds, 3, 20, window, false).with(precision);
                let all = case.run(kind, 1);
                assert_eq!(all, case.run(kind, 2), "{} {kind:?} two threads", isa.name());
                assert_eq!(all, case.run(kind, 5), "{} {kind:?} five threads", isa.name());
                for s in bounds.windows(2) {
                    let width = case.width();
                    let qkv = case.qkv[s[0] * 3 * width..s[1] * 3 * width].to_vec();
                    let alone = Case::new(&[0, 1], 3, 20, window, false).with(precision);
                    let alone = Case { bounds: vec![0, s[1] - s[0]], qkv, ..alone };
                    assert_eq!(alone.run(kind, 1), all[s[0] * width..s[1] * width], "{} {kind:?}", isa.name());
                }
            }
        }
    });
}

#[test]
fn rows_that_are_read_do_not_change_where_others_are_left_out() {
    let bounds = [0, 1, 60, 60, 150, 171];
    let read = vec![0, 1, 2, 3, 40, 75, 76, 149, 160];
    for precision in [Precision::F32, Precision::Bf16] {
        for (kind, window, causal) in [
            (Kind::Plain, None, true),
            (Kind::Plain, Some(9), false),
            (Kind::Relative, None, false),
            (Kind::Disentangled, None, false),
        ] {
            let case = |read| Case { read, ..Case::new(&bounds, 3, 20, window, causal).with(precision) };
            let (all, some) = (case(None), case(Some(read.clone())));
            Isa::each(|isa| {
                let expected = all.run(kind, 1);
                for threads in [1, 5] {
                    let found = some.run(kind, threads);
                    let of = |numbers: &[f32]| {
                        read.iter().flat_map(|row| numbers[row * 60..][..60].to_vec()).collect::<Vec<_>>()
                    };
                    assert_eq!(of(&found), of(&expected), "{} {kind:?} {precision:?}", isa.name());
                    assert!(found.iter().any(|x| x.is_nan()), "nothing was left out");
                }
            });
        }
    }
}

#[test]
fn nothing_in_gives_nothing_out() {
    let shape = AttentionShape {
        bounds: &[0],
        heads: 2,
        head_dim: 4,
        scale: 1.0,
        window: None,
        causal: false,
        read: None,
        precision: Precision::F32,
    };
    let none = Rows { data: &[], stride: 8, offset: 0 };
    attention(none, none, none, &shape, None, Bias::None, &mut [], 2);
    layer_norm(&[], &[0.0; 8], None, 1e-5, &mut [], 2);
    gated(&[], 8, Activation::Gelu, &mut []);
    activate(&mut [], Activation::Gelu, 2);
}
