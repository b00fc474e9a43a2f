//! Dense layers on a unit that multiplies tiles of bfloat16: 16 rows by 32 numbers, times 32 by 16.
//!
//! For full precision every number is the sum of two bfloat16, a high and a low half, which together
//! hold 16 of its 24 bits; of the four products the smallest, low times low, is left out. What is lost is at
//! most 2^-16 of each product, far below what f32 loses in a long sum of unequal numbers.

use std::cell::RefCell;

use half::bf16;

use super::Avx512;
use crate::kernels::dense::Part;
use crate::kernels::gemm::Finish;
use crate::kernels::pack::Aligned;
use crate::kernels::simd::{Kernel, Simd};

/// Rows and columns of a tile of sums.
pub(super) const SIDE: usize = 16;
/// Steps of the inner dimension in a tile.
pub(super) const DEPTH: usize = 32;
/// Numbers in a tile of factors.
pub(super) const TILE: usize = SIDE * DEPTH;
/// Rows and columns of a block: two tiles each way.
pub(super) const BLOCK: usize = 2 * SIDE;

/// A unit that multiplies tiles. A value of the type is the proof that the machine has it.
pub(in crate::kernels) trait TileUnit: Copy {
    /// Prepares the calling thread; every `begin` is followed by an `end`.
    fn begin(self);

    /// Gives the thread's tile registers back.
    fn end(self);

    /// `sums (32, 32) = a * b`, or its first 16 rows where `a` has only one row of tiles.
    fn multiply(self, a: &Factor, b: &Factor, sums: &mut [f32; BLOCK * BLOCK]);
}

/// One or two rows of tiles, along the inner dimension.
///
/// A tile of the left side holds 16 rows of 32 numbers; of the right side 16 lines, each with a pair
/// of numbers for every of its 16 columns. Where numbers are split, each tile of high halves is
/// followed by that of the low halves.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Factor<'a> {
    /// The rows of tiles, one after another.
    pub(super) tiles: &'a [u16],
    /// Rows of tiles: 1 or 2.
    pub(super) count: usize,
    pub(super) split: bool,
}

impl Factor<'_> {
    /// Tiles, or pairs of a high and a low one, in a row.
    pub(super) fn steps(&self) -> usize {
        self.tiles.len() / self.count / step(self.split)
    }
}

/// Numbers in one step along a row of tiles.
fn step(split: bool) -> usize {
    if split { 2 * TILE } else { TILE }
}

/// The weights of a dense layer, as rows of tiles of 16 columns each.
#[derive(Debug)]
pub(in crate::kernels) struct Tiles<U> {
    unit: U,
    numbers: Aligned<u16>,
    /// Numbers in a row of tiles.
    row: usize,
    split: bool,
}

thread_local! {
    /// A block of input rows as tiles.
    static INPUT: RefCell<Aligned<u16>> = RefCell::default();
}

impl<U: TileUnit> Tiles<U> {
    /// Rows and columns of a block.
    pub(in crate::kernels) const TILE: (usize, usize) = (BLOCK, BLOCK);

    /// Packs `weight (columns, depth)`, row-major. Beyond both ends are zeros.
    pub(in crate::kernels) fn new(unit: U, weight: &[f32], columns: usize, depth: usize, split: bool) -> Self {
        let row = depth.div_ceil(DEPTH) * step(split);
        let mut numbers = Aligned::zeros(columns.next_multiple_of(BLOCK) / SIDE * row);
        for (column, values) in weight.chunks_exact(depth.max(1)).enumerate() {
            let tiles = &mut numbers[column / SIDE * row..][..row];
            for (k, value) in values.iter().enumerate() {
                // Line k / 2 of the tile, the pair of the column, the earlier number first.
                let at = k / DEPTH * step(split) + k % DEPTH / 2 * DEPTH + column % SIDE * 2 + k % 2;
                put(tiles, at, *value, split);
            }
        }
        Self { unit, numbers, row, split }
    }

    pub(in crate::kernels) fn product(&self, part: Part) {
        /// Numbers in a block of rows: half of a second cache of 2 MiB.
        const CACHED: usize = 1 << 19;
        let rows = (CACHED / self.row.max(1)).max(1) * BLOCK;
        INPUT.with_borrow_mut(|input| {
            self.unit.begin();
            part.in_blocks(rows, |part| self.block(part, input));
            self.unit.end();
        });
    }

    fn block(&self, part: Part, input: &mut Aligned<u16>) {
        let rows = part.out.len() / part.width;
        let input = input.clear_to(rows.div_ceil(SIDE) * self.row);
        for (at, row) in part.x.chunks_exact(part.depth.max(1)).enumerate() {
            let tiles = &mut input[at / SIDE * self.row..][..self.row];
            narrow(row, at % SIDE, tiles, self.split);
        }
        let mut sums = [0.0; BLOCK * BLOCK];
        for column in (0..part.width).step_by(BLOCK) {
            let weights = &self.numbers[(part.column + column) / SIDE * self.row..][..2 * self.row];
            let b = Factor { tiles: weights, count: 2, split: self.split };
            for row in (0..rows).step_by(BLOCK) {
                let height = BLOCK.min(rows - row);
                let count = height.div_ceil(SIDE);
                let tiles = &input[row / SIDE * self.row..][..count * self.row];
                self.unit.multiply(&Factor { tiles, count, split: self.split }, &b, &mut sums);
                let width = BLOCK.min(part.width - column);
                let c = &mut part.out[row * part.width + column..];
                for (r, from) in sums.chunks_exact(BLOCK).take(height).enumerate() {
                    c[r * part.width..][..width].copy_from_slice(&from[..width]);
                }
                finish(part.finish, row..row + height, column, width, c, part.width);
            }
        }
    }
}

/// Writes a weight: its high half, and its low half where there is one.
fn put(tiles: &mut [u16], at: usize, value: f32, split: bool) {
    let (high, low) = halves(value);
    tiles[at] = high;
    if split {
        tiles[at + TILE] = low;
    }
}

/// The nearest bfloat16, and the nearest to what is left.
#[inline(always)]
fn halves(x: f32) -> (u16, u16) {
    let high = round(x);
    let rest = x - f32::from_bits(u32::from(high) << 16);
    // Nothing is left of what is infinite, or becomes so.
    (high, if rest.is_finite() { round(rest) } else { 0 })
}

/// To the nearest bfloat16, ties to even. [`bf16::from_f32`] in a form that compiles to vectors.
#[inline(always)]
pub(super) fn round(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16;
    if x.is_nan() { bf16::NAN.to_bits() } else { rounded }
}

/// Writes a row of the input as row `line` of its tiles.
fn narrow(row: &[f32], line: usize, tiles: &mut [u16], split: bool) {
    if let Some(unit) = Avx512::detect() {
        unit.run(Narrow { row, line, tiles, split });
    }
}

struct Narrow<'a> {
    row: &'a [f32],
    line: usize,
    tiles: &'a mut [u16],
    split: bool,
}

impl Kernel for Narrow<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (from, tiles) in self.row.chunks(DEPTH).zip(self.tiles.chunks_exact_mut(step(self.split))) {
            let (high, low) = tiles.split_at_mut(TILE);
            let high = &mut high[self.line * DEPTH..][..from.len()];
            if self.split {
                let low = &mut low[self.line * DEPTH..][..from.len()];
                for ((x, high), low) in from.iter().zip(high).zip(low) {
                    (*high, *low) = halves(*x);
                }
            } else {
                from.iter().zip(high).for_each(|(x, high)| *high = round(*x));
            }
        }
    }
}

/// [`Finish::apply`].
fn finish(finish: Finish, rows: std::ops::Range<usize>, column: usize, count: usize, c: &mut [f32], c_stride: usize) {
    struct Apply<'a>(Finish<'a>, std::ops::Range<usize>, usize, usize, &'a mut [f32], usize);
    impl Kernel for Apply<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            self.0.apply(s, self.1, self.2, self.3, self.4, self.5);
        }
    }
    if let Some(unit) = Avx512::detect() {
        unit.run(Apply(finish, rows, column, count, c, c_stride));
    }
}

/// What a unit must come to, in plain Rust.
pub(super) fn multiply_plainly(a: &Factor, b: &Factor, sums: &mut [f32; BLOCK * BLOCK]) {
    let number = |bits: u16| bf16::from_bits(bits).to_f32();
    let (a_row, b_row) = (a.tiles.len() / a.count, b.tiles.len() / b.count);
    sums[..a.count * SIDE * BLOCK].fill(0.0);
    for at in 0..a.steps() * a.count * SIDE * BLOCK * DEPTH {
        let (at, k) = (at / DEPTH, at % DEPTH);
        let (at, column) = (at / BLOCK, at % BLOCK);
        let (row, start) = (at % (a.count * SIDE), at / (a.count * SIDE) * step(a.split));
        let left = row / SIDE * a_row + start + row % SIDE * DEPTH + k;
        let right = column / SIDE * b_row + start + k / 2 * DEPTH + column % SIDE * 2 + k % 2;
        let sum = &mut sums[row * BLOCK + column];
        *sum += number(a.tiles[left]) * number(b.tiles[right]);
        if a.split {
            *sum += number(a.tiles[left + TILE]) * number(b.tiles[right]);
            *sum += number(a.tiles[left]) * number(b.tiles[right + TILE]);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::kernels::Activation;

    /// The unit in plain Rust.
    #[derive(Clone, Copy)]
    struct Plain;

    impl TileUnit for Plain {
        fn begin(self) {}

        fn end(self) {}

        fn multiply(self, a: &Factor, b: &Factor, sums: &mut [f32; BLOCK * BLOCK]) {
            multiply_plainly(a, b, sums);
        }
    }

    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    /// A dense layer of `columns` over rows of `depth`, from column `first` on.
    fn layer(x: &[f32], weight: &[f32], depth: usize, first: usize, split: bool) -> Vec<f32> {
        let columns = weight.len() / depth;
        let width = columns - first;
        let mut out = vec![f32::NAN; x.len() / depth * width];
        let finish = Finish { activation: Activation::Relu, ..Finish::NONE };
        Tiles::new(Plain, weight, columns, depth, split).product(Part {
            x,
            depth,
            column: first,
            width,
            finish,
            out: &mut out,
        });
        out
    }

    #[test]
    fn products_of_high_and_low_halves_are_nearly_as_exact_as_f32() {
        if Avx512::detect().is_none() {
            return; // the unit comes with these instructions
        }
        for (rows, depth, columns) in [(1, 1, 1), (16, 32, 32), (17, 33, 40), (70, 100, 65)] {
            let (x, weight) = (numbers(rows * depth, 1), numbers(columns * depth, 2));
            for (split, tolerance) in [(true, 2e-5), (false, 8e-3)] {
                let got = layer(&x, &weight, depth, 0, split);
                for (i, got) in got.iter().enumerate() {
                    let (x, w) = (&x[i / columns * depth..][..depth], &weight[i % columns * depth..][..depth]);
                    let products = x.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b));
                    let (sum, size) = products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()));
                    let error = (f64::from(*got) - sum.max(0.0)).abs();
                    assert!(error <= tolerance * size, "{rows}x{depth}x{columns} split {split}: {got}, not {sum}");
                }
            }
        }
    }

    #[test]
    fn a_row_and_a_column_have_the_same_bits_wherever_they_stand() {
        if Avx512::detect().is_none() {
            return;
        }
        let (depth, columns) = (70, 96);
        let (x, weight) = (numbers(50 * depth, 1), numbers(columns * depth, 2));
        let all = layer(&x, &weight, depth, 0, true);
        assert_eq!(layer(&x[20 * depth..], &weight, depth, 0, true), all[20 * columns..]);
        let right = layer(&x, &weight, depth, 64, true);
        for (right, all) in right.chunks(32).zip(all.chunks(columns)) {
            assert_eq!(right, &all[64..]);
        }
    }

    #[test]
    fn rounding_is_to_the_nearest_and_keeps_what_is_not_a_number() {
        for x in numbers(1000, 3).into_iter().chain([0.0, -0.0, f32::INFINITY, f32::MAX, 1e-40, 1.0 + 1.0 / 256.0]) {
            assert_eq!(round(x), bf16::from_f32(x).to_bits(), "{x}");
        }
        assert!(bf16::from_bits(round(f32::from_bits(0x7fff_ffff))).is_nan());
        assert_eq!(halves(f32::INFINITY), (bf16::INFINITY.to_bits(), 0));
    }
}
