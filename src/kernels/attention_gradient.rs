//! Attention of a model that learns: weights of keys may be left out, and gradients go back. The weights are computed
//! again on the way back: keeping them would take `length^2` numbers for each head of each layer.

use std::cell::RefCell;
use std::ops::Range;

use super::gemm::{Finish, Lines, LinesMut, Product};
use super::gradients::transpose;
use super::isa::current;
use super::mask::Mask;
use super::memory::sized;
use super::pack::{pack_columns, pack_rows, packed_size};
use super::simd::{Kernel, Simd};
use super::softmax::{exponentials, scale_row};
use super::{AttentionShape, meter, parallel};

/// Queries, keys and values of all tokens side by side, `(tokens, 3 * heads * head_dim)`, and what is left out.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// The numbers.
    pub query_key_value: &'a [f32],
    /// Of the weights of keys: those of a head lie one after another, and so do heads and sequences.
    pub mask: Option<Mask>,
}

/// Softmax attention inside each sequence: `out (tokens, heads * head_dim)`. At most `threads` threads work on it.
pub fn attention_learning(heads: Heads, shape: &AttentionShape, out: &mut [f32], threads: usize) {
    let _timer = meter::start(meter::Part::Attention);
    let width = shape.heads * shape.head_dim;
    assert_eq!(heads.query_key_value.len(), 3 * out.len(), "input of attention");
    let isa = current();
    share(shape, width, out, threads, |first, sequences, out| {
        isa.run(Forward { heads, shape, first, sequences, out });
    });
}

/// The gradient of queries, keys and values from that of the output `out`, all laid out as in [`attention_learning`].
pub fn attention_gradient(
    heads: Heads,
    shape: &AttentionShape,
    out: &[f32],
    out_gradient: &[f32],
    gradient: &mut [f32],
    threads: usize,
) {
    let _timer = meter::start(meter::Part::Attention);
    let width = shape.heads * shape.head_dim;
    assert_eq!(gradient.len(), heads.query_key_value.len(), "gradient of attention");
    assert!(out.len() == out_gradient.len() && 3 * out.len() == gradient.len(), "output of attention");
    let isa = current();
    share(shape, 3 * width, gradient, threads, |first, sequences, gradient| {
        isa.run(Backward { heads, shape, first, sequences, out, out_gradient, gradient });
    });
}

/// Gives each thread a run of sequences and their rows of `out`, `width` numbers each, with the mask's number of the
/// first weight.
fn share(
    shape: &AttentionShape,
    width: usize,
    out: &mut [f32],
    threads: usize,
    work: impl Fn(usize, Range<usize>, &mut [f32]) + Sync,
) {
    let count = shape.bounds.len().saturating_sub(1);
    let length = |sequence: usize| shape.bounds[sequence + 1] - shape.bounds[sequence];
    let cost = |sequence: usize| length(sequence) * length(sequence);
    let total: usize = (0..count).map(cost).sum();
    let share = total.div_ceil(threads.max(1)).max(1);
    let (mut parts, mut rest) = (Vec::new(), out);
    let (mut begin, mut before, mut sum) = (0, 0, 0);
    for sequence in 0..count {
        sum += cost(sequence);
        if sum - before >= share || sequence + 1 == count {
            let rows = shape.bounds[sequence + 1] - shape.bounds[begin];
            let (part, others) = rest.split_at_mut(rows * width);
            parts.push((before * shape.heads, begin..sequence + 1, part));
            (rest, begin, before) = (others, sequence + 1, sum);
        }
    }
    parallel(parts.into_iter(), |(first, sequences, part)| work(first, sequences, part));
}

/// Buffers a thread keeps from one task to the next.
#[derive(Default)]
struct Scratch {
    panels: Vec<f32>,
    weights: Vec<f32>,
    slopes: Vec<f32>,
    turned: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// One head of one sequence.
struct Head<'a> {
    heads: Heads<'a>,
    shape: &'a AttentionShape<'a>,
    /// Its rows.
    rows: Range<usize>,
    head: usize,
    /// The mask's number of its first weight.
    first: usize,
}

impl<'a> Head<'a> {
    fn length(&self) -> usize {
        self.rows.len()
    }

    /// Numbers from one row of the input to the next.
    fn stride(&self) -> usize {
        3 * self.shape.heads * self.shape.head_dim
    }

    /// Queries, keys or values, from the first row on.
    fn part(&self, which: usize) -> Lines<'a> {
        let column = (which * self.shape.heads + self.head) * self.shape.head_dim;
        let stride = self.stride();
        Lines { numbers: &self.heads.query_key_value[self.rows.start * stride + column..], stride }
    }

    /// The weights of the keys for each query, `(length, length)`, before any are left out.
    #[inline(always)]
    fn weigh<S: Simd>(&self, s: S, panels: &mut Vec<f32>, weights: &mut Vec<f32>) {
        let length = self.length();
        self.against_rows(s, [self.part(0), self.part(1)], panels, weights);
        for (row, weights) in sized(weights, length * length).chunks_exact_mut(length).enumerate() {
            let sum = exponentials(s, weights, self.shape.scale, None, self.shape.seen(&(row..row + 1), length));
            scale_row(s, weights, if sum == 0.0 { 0.0 } else { 1.0 / sum });
        }
    }

    /// `to (length, length)`: the product of each row of `a` with each row of `b`.
    #[inline(always)]
    fn against_rows<S: Simd>(&self, s: S, [a, b]: [Lines; 2], panels: &mut Vec<f32>, to: &mut Vec<f32>) {
        let (length, dim, panel) = (self.length(), self.shape.head_dim, 2 * S::LANES);
        let panels = sized(panels, packed_size(length, dim, panel));
        pack_rows(b, length, dim, panel, panels);
        s.run(Product {
            a,
            rows: length,
            depth: dim,
            panels,
            panel_depth: dim,
            columns: length,
            c: LinesMut { numbers: sized(to, length * length), stride: length },
            finish: Finish::NONE,
        });
    }

    /// `to (length, head_dim)`: the product of `weights (length, length)` with the rows of `b`.
    #[inline(always)]
    fn over_rows<S: Simd>(&self, s: S, weights: &[f32], b: Lines, panels: &mut Vec<f32>, to: LinesMut) {
        let (length, dim, panel) = (self.length(), self.shape.head_dim, 2 * S::LANES);
        let panels = sized(panels, packed_size(dim, length, panel));
        pack_columns(b, dim, length, panel, panels);
        s.run(Product {
            a: Lines { numbers: weights, stride: length },
            rows: length,
            depth: length,
            panels,
            panel_depth: length,
            columns: dim,
            c: to,
            finish: Finish::NONE,
        });
    }
}

/// Calls `work` for each head of some sequences.
#[inline(always)]
fn each_head<'a>(
    heads: Heads<'a>,
    shape: &'a AttentionShape<'a>,
    mut first: usize,
    sequences: Range<usize>,
    mut work: impl FnMut(&Head<'a>),
) {
    for sequence in sequences {
        let rows = shape.bounds[sequence]..shape.bounds[sequence + 1];
        for head in 0..shape.heads {
            if !rows.is_empty() {
                work(&Head { heads, shape, rows: rows.clone(), head, first });
            }
            first += rows.len() * rows.len();
        }
    }
}

struct Forward<'a> {
    heads: Heads<'a>,
    shape: &'a AttentionShape<'a>,
    first: usize,
    sequences: Range<usize>,
    out: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Forward { heads, shape, first, sequences, out } = self;
        let width = shape.heads * shape.head_dim;
        let start = shape.bounds[sequences.start];
        SCRATCH.with_borrow_mut(|Scratch { panels, weights, .. }| {
            each_head(heads, shape, first, sequences, |head| {
                head.weigh(s, panels, weights);
                let weights = sized(weights, head.length() * head.length());
                if let Some(mask) = heads.mask {
                    mask.apply(weights, head.first);
                }
                let out = &mut out[(head.rows.start - start) * width + head.head * shape.head_dim..];
                head.over_rows(s, weights, head.part(2), panels, LinesMut { numbers: out, stride: width });
            });
        });
    }
}

struct Backward<'a> {
    heads: Heads<'a>,
    shape: &'a AttentionShape<'a>,
    first: usize,
    sequences: Range<usize>,
    out: &'a [f32],
    out_gradient: &'a [f32],
    gradient: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Backward { heads, shape, first, sequences, out, out_gradient, gradient } = self;
        let (dim, width) = (shape.head_dim, shape.heads * shape.head_dim);
        let start = shape.bounds[sequences.start];
        SCRATCH.with_borrow_mut(|Scratch { panels, weights, slopes, turned }| {
            each_head(heads, shape, first, sequences, |head| {
                let (length, stride) = (head.length(), head.stride());
                let row = |row: usize| (head.rows.start + row) * width + head.head * dim;
                let mut gradient = LinesMut { numbers: &mut *gradient, stride };
                let first = head.rows.start - start;
                let column = |which: usize| (which * shape.heads + head.head) * dim;
                let out_gradients = Lines { numbers: &out_gradient[row(0)..], stride: width };
                head.weigh(s, panels, weights);
                head.against_rows(s, [out_gradients, head.part(2)], panels, slopes);
                let (weights, slopes) = (sized(weights, length * length), sized(slopes, length * length));
                // What each weight adds to the loss, less what all of them do.
                for i in 0..length {
                    let all = product(s, &out[row(i)..][..dim], &out_gradient[row(i)..][..dim]);
                    let line = i * length..(i + 1) * length;
                    let (weights, slopes) = (&mut weights[line.clone()], &mut slopes[line]);
                    back(s, weights, slopes, all, shape.scale, heads.mask, head.first + i * length);
                }
                let turned = sized(turned, length * length);
                transpose(weights, length, turned, 1);
                head.over_rows(s, turned, out_gradients, panels, gradient.from(first, column(2)));
                head.over_rows(s, slopes, head.part(1), panels, gradient.from(first, column(0)));
                transpose(slopes, length, turned, 1);
                head.over_rows(s, turned, head.part(0), panels, gradient.from(first, column(1)));
            });
        });
    }
}

/// One row of weights and of the slopes of their masked selves, from the weight `first` of the mask on: the slopes
/// become those of the scores, times `scale`, and weights are left out.
#[inline(always)]
fn back<S: Simd>(
    s: S,
    weights: &mut [f32],
    slopes: &mut [f32],
    all: f32,
    scale: f32,
    mask: Option<Mask>,
    first: usize,
) {
    if let Some(mask) = mask {
        for (at, (weight, slope)) in weights.iter_mut().zip(&mut *slopes).enumerate() {
            let factor = mask.factor(first + at);
            *slope = *weight * (*slope * factor - all) * scale;
            *weight *= factor;
        }
        return;
    }
    let (all, scale) = (s.splat(all), s.splat(scale));
    for (weights, slopes) in weights.chunks(S::LANES).zip(slopes.chunks_mut(S::LANES)) {
        let slope = s.mul(s.sub(s.load_some(slopes), all), s.mul(s.load_some(weights), scale));
        s.store_some(slope, slopes);
    }
}

/// The sum of the products of two rows.
#[inline(always)]
fn product<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    let mut sum = s.splat(0.0);
    for (a, b) in a.chunks(S::LANES).zip(b.chunks(S::LANES)) {
        sum = s.mul_add(s.load_some(a), s.load_some(b), sum);
    }
    s.sum(sum)
}

#[cfg(test)]
mod tests {
    use super::super::Precision;
    use super::super::isa::Isa;
    use super::super::tests::{assert_close, in_f64, numbers, slopes};
    use super::*;

    fn plain(x: &[f64], shape: &AttentionShape, mask: Option<Mask>) -> Vec<f64> {
        let (dim, width) = (shape.head_dim, shape.heads * shape.head_dim);
        let mut out = vec![0.0; x.len() / 3];
        // The mask's number of a weight.
        let mut number = 0;
        for rows in shape.bounds.windows(2).map(|s| s[0]..s[1]) {
            for (head, row) in (0..shape.heads).flat_map(|head| rows.clone().map(move |row| (head, row))) {
                let part = |row: usize, which: usize| &x[(row * 3 + which) * width + head * dim..][..dim];
                let weight = |key: usize| {
                    let seen = (!shape.causal || key <= row) && shape.window.is_none_or(|w| key.abs_diff(row) <= w);
                    let product: f64 = part(row, 0).iter().zip(part(key, 1)).map(|(q, k)| q * k).sum();
                    if seen { (product * f64::from(shape.scale)).exp() } else { 0.0 }
                };
                let weights: Vec<f64> = rows.clone().map(weight).collect();
                let sum: f64 = weights.iter().sum();
                for (key, weight) in rows.clone().zip(weights) {
                    let left = mask.map_or(1.0, |mask| f64::from(mask.factor(number)));
                    number += 1;
                    for (out, value) in out[row * width + head * dim..].iter_mut().zip(part(key, 2)) {
                        *out += left * weight / sum * value;
                    }
                }
            }
        }
        out
    }

    #[test]
    fn attention_that_learns_and_its_gradient_are_those_of_the_formula_on_every_instruction_set() {
        let (heads, head_dim, bounds) = (2, 17, [0, 5, 5, 6, 24]);
        let (x, out_gradient) = (numbers(24 * 3 * 34, 1), numbers(24 * 34, 2));
        let mask = Some(Mask::new(9, 0.3));
        for (window, causal, mask) in
            [(None, false, None), (None, true, mask), (Some(3), false, mask), (Some(3), true, None)]
        {
            let precision = Precision::F32;
            let shape =
                AttentionShape { bounds: &bounds, heads, head_dim, scale: 0.7, window, causal, read: None, precision };
            let expected = plain(&in_f64(&x), &shape, mask);
            let loss =
                |x: &[f64]| plain(x, &shape, mask).iter().zip(&out_gradient).map(|(y, g)| y * f64::from(*g)).sum();
            let of_x = slopes(&x, loss);
            let heads = Heads { query_key_value: &x, mask };
            Isa::each(|isa| {
                for threads in [1, 3] {
                    let what = format!("{} window {window:?} causal {causal} on {threads} threads", isa.name());
                    let mut out = vec![f32::NAN; expected.len()];
                    attention_learning(heads, &shape, &mut out, threads);
                    assert_close(&out, &expected, 5e-6, &what);
                    let mut gradient = vec![f32::NAN; x.len()];
                    attention_gradient(heads, &shape, &out, &out_gradient, &mut gradient, threads);
                    assert_close(&gradient, &of_x, 1e-5, &what);
                }
            });
        }
    }
}
