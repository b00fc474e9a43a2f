//! Products of rows with rows, as a scorer makes them of texts and labels.

use std::ops::Range;

use super::isa::current;
use super::simd::{Kernel, Simd};
use super::team::worth;
use super::{meter, parallel};

/// Rows whose products with another are summed side by side, so that no sum waits for the one before.
const EACH: usize = 8;

/// Numbers of the second matrix that stay in the first cache while rows of the first pass by.
const CACHED: usize = 1 << 12;

/// The product of a row of `a` with each row of a range of `b`, for each of `pairs` one after another; all rows have
/// `width` numbers.
///
/// The bits of a product depend on its two rows alone. At most `threads` threads work on them.
pub fn row_products(
    a: &[f32],
    b: &[f32],
    width: usize,
    pairs: &[(usize, Range<usize>)],
    out: &mut [f32],
    threads: usize,
) {
    let _timer = meter::start(meter::Part::Rows);
    let isa = current();
    let products: usize = pairs.iter().map(|(_, rows)| rows.len()).sum();
    assert_eq!(out.len(), products, "output of products");
    let share = products.div_ceil(worth(threads, products * width)).max(1);
    let parts = cut(pairs, share).into_iter().zip(out.chunks_mut(share));
    parallel(parts, |(pairs, out)| isa.run(Products { a, b, width, pairs: &pairs, out }));
}

/// The pairs in parts of `share` products each, but for the last one; a range may be cut in two.
fn cut(pairs: &[(usize, Range<usize>)], share: usize) -> Vec<Vec<(usize, Range<usize>)>> {
    let (mut parts, mut part, mut room) = (Vec::new(), Vec::new(), share);
    for (row, range) in pairs {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + room);
            part.push((*row, start..end));
            room -= end - start;
            start = end;
            if room == 0 {
                parts.push(std::mem::take(&mut part));
                room = share;
            }
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// Some of the products, by one thread. No range is empty.
struct Products<'a> {
    a: &'a [f32],
    b: &'a [f32],
    width: usize,
    pairs: &'a [(usize, Range<usize>)],
    out: &'a mut [f32],
}

impl Kernel for Products<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { a, b, width, pairs, out } = self;
        let block = (CACHED / width.max(1) / EACH * EACH).max(EACH);
        let mut rest = out;
        for alike in pairs.chunk_by(|one, next| one.1 == next.1) {
            let rows = alike[0].1.clone();
            let (out, others) = rest.split_at_mut(alike.len() * rows.len());
            rest = others;
            for first in rows.clone().step_by(block) {
                let end = rows.end.min(first + block);
                for ((row, _), out) in alike.iter().zip(out.chunks_exact_mut(rows.len())) {
                    let row = &a[row * width..][..width];
                    let out = &mut out[first - rows.start..end - rows.start];
                    for (out, at) in out.chunks_mut(EACH).zip((first..).step_by(EACH)) {
                        products(s, row, &b[at * width..][..out.len() * width], out);
                    }
                }
            }
        }
    }
}

/// The products of a row with as many as `out` has room for, at most [`EACH`].
#[inline(always)]
fn products<S: Simd>(s: S, row: &[f32], others: &[f32], out: &mut [f32]) {
    let width = row.len();
    // Where there are fewer, the last is multiplied again: all products are made in the same way.
    let others: [&[f32]; EACH] = std::array::from_fn(|i| &others[i.min(out.len() - 1) * width..][..width]);
    let mut sums = [s.splat(0.0); EACH];
    let whole = width / S::LANES * S::LANES;
    for at in (0..whole).step_by(S::LANES) {
        let x = s.load(&row[at..]);
        for (sum, other) in sums.iter_mut().zip(others) {
            *sum = s.mul_add(x, s.load(&other[at..]), *sum);
        }
    }
    if whole < width {
        let x = s.load_some(&row[whole..]);
        for (sum, other) in sums.iter_mut().zip(others) {
            *sum = s.mul_add(x, s.load_some(&other[whole..]), *sum);
        }
    }
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = s.sum(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_the_same_number_of_products_wherever_that_cuts() {
        let pairs = [(4, 0..5), (1, 7..7), (2, 3..4), (0, 0..6)];
        assert_eq!(cut(&pairs, 4), [vec![(4, 0..4)], vec![(4, 4..5), (2, 3..4), (0, 0..2)], vec![(0, 2..6)]]);
        assert_eq!(cut(&pairs, 100), [vec![(4, 0..5), (2, 3..4), (0, 0..6)]]);
        assert!(cut(&pairs[1..2], 4).is_empty());
    }
}
