//! Dense layers on a unit that multiplies tiles of bfloat16: 16 rows by 32 numbers, times 32 by 16.
//!
//! For full precision every number is the sum of two bfloat16, a high and a low half, which together
//! hold 16 of its 24 bits; of the four products the smallest, low times low, is left out. What is lost is at
//! most 2^-16 of each product, far below what f32 loses in a long sum of unequal numbers.

use std::arch::x86_64::*;
use std::cell::RefCell;

use half::bf16;

use super::bf16::{narrowed, round};
use crate::kernels::gemm::{Lines, LinesMut, Tile, Write};
use crate::kernels::pack::Aligned;
use crate::kernels::part::Part;
use crate::kernels::simd::Simd;

/// Rows and columns of a tile of sums.
pub(super) const SIDE: usize = 16;
/// Steps of the inner dimension in a tile.
pub(super) const DEPTH: usize = 32;
/// Numbers in a tile of factors.
pub(super) const TILE: usize = SIDE * DEPTH;
/// Rows and columns of a block: two tiles each way.
pub(super) const BLOCK: usize = 2 * SIDE;
/// Sums of a block.
pub(super) const SUMS: usize = BLOCK * BLOCK;

/// A unit that multiplies tiles. A value of the type is the proof that the machine has it.
pub(in crate::kernels) trait TileUnit: Copy {
    /// What writes the sums.
    type Vectors: Simd;
    /// The calling thread's tile registers, which are given back when it is dropped.
    type Registers: TileRegisters;

    /// Makes the calling thread's tile registers ready.
    ///
    /// # Safety
    /// The thread has none that are ready: those that are dropped first would take the others with them.
    unsafe fn begin(self) -> Self::Registers;

    /// Writes a row of the input as row `line` of its tiles; beyond its end are zeros.
    fn narrow(self, row: &[f32], line: usize, tiles: &mut [u16], split: bool);

    fn vectors(self) -> Self::Vectors;
}

/// Tile registers that are ready.
pub(in crate::kernels) trait TileRegisters {
    /// `sums (32, 32) = a * b`, or its first 16 rows where `a` has only one row of tiles; added to the sums that are
    /// there where `go_on` says so.
    fn multiply(&mut self, a: &Factor, b: &Factor, sums: &mut [f32; SUMS], go_on: bool);
}

/// One or two rows of tiles, along the inner dimension.
///
/// A tile of the left side holds 16 rows of 32 numbers; of the right side 16 lines, each with a pair
/// of numbers for every of its 16 columns. Where numbers are split, each tile of high halves is
/// followed by that of the low halves.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Factor<'a> {
    tiles: &'a [u16],
    /// Numbers from one row of tiles to the next.
    stride: usize,
    /// Rows of tiles: 1 or 2.
    pub(super) count: usize,
    /// Tiles, or pairs of a high and a low one, in a row.
    pub(super) steps: usize,
    pub(super) split: bool,
}

impl<'a> Factor<'a> {
    /// The first `count` rows of tiles, `stride` numbers apart, each with so many steps.
    pub(super) fn new(tiles: &'a [u16], stride: usize, count: usize, steps: usize, split: bool) -> Self {
        let end = (count - 1) * stride + steps * step(split);
        Self { tiles: &tiles[..end], stride, count, steps, split }
    }

    /// A row of tiles: as many numbers as its steps have.
    pub(super) fn row(&self, row: usize) -> &'a [u16] {
        &self.tiles[row * self.stride..][..self.steps * step(self.split)]
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
    /// Input rows as tiles, and sums that are not complete yet.
    static BUFFERS: RefCell<(Aligned<u16>, Aligned<f32>)> = RefCell::default();
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
        BUFFERS.with_borrow_mut(|(input, sums)| {
            // SAFETY: the thread has the buffers, so it is in no other product.
            let mut registers = unsafe { self.unit.begin() };
            part.in_blocks(CACHED, self.row / SIDE, BLOCK, |part| self.block(&mut registers, part, input, sums));
        });
    }

    fn block(&self, registers: &mut U::Registers, part: Part, input: &mut Aligned<u16>, sums: &mut Aligned<f32>) {
        let (unit, split) = (self.unit, self.split);
        let rows = part.rows();
        let input = input.resize(rows.div_ceil(SIDE) * self.row);
        for (at, row) in part.x.chunks_exact(part.depth.max(1)).enumerate() {
            unit.narrow(row, at % SIDE, &mut input[at / SIDE * self.row..][..self.row], split);
        }
        let mut out = LinesMut { numbers: part.out, stride: part.out_width };
        let lengths = self.lengths();
        // Sums that go on later stay apart; else there is only one block of them at a time.
        let kept = if lengths.len() == 1 { 1 } else { rows.div_ceil(BLOCK) };
        let sums = sums.resize(kept * SUMS).as_chunks_mut().0;
        for column in (0..part.width).step_by(BLOCK) {
            let weights = &self.numbers[(part.column + column) / SIDE * self.row..];
            let mut start = 0;
            for (number, &steps) in lengths.iter().enumerate() {
                let first = start * step(split);
                let b = Factor::new(&weights[first..], self.row, 2, steps, split);
                for row in (0..rows).step_by(BLOCK) {
                    let sums = &mut sums[row / BLOCK % kept];
                    let height = BLOCK.min(rows - row);
                    let tiles = &input[row / SIDE * self.row + first..];
                    let a = Factor::new(tiles, self.row, height.div_ceil(SIDE), steps, split);
                    registers.multiply(&a, &b, sums, number > 0);
                    if number + 1 == lengths.len() {
                        let c = out.from(row, part.finish.column(column));
                        let tile = Tile { rows: row..row + height, columns: column..part.width.min(column + BLOCK) };
                        let products = Lines { numbers: sums.as_slice(), stride: BLOCK };
                        unit.vectors().run(Write { finish: part.finish, products, tile, c });
                    }
                }
                start += steps;
            }
        }
    }

    /// The steps that are taken at once, so that the columns of a block stay in the first cache while all rows pass: 24
    /// of 48 KiB.
    fn lengths(&self) -> Vec<usize> {
        const CACHED: usize = 12 << 10;
        let steps = self.row / step(self.split);
        let parts = (2 * self.row).div_ceil(CACHED).max(1);
        let share = steps.div_ceil(parts);
        (0..parts).map(|part| share.min(steps.saturating_sub(part * share))).collect()
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

/// [`TileUnit::narrow`] with vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn narrow(row: &[f32], line: usize, tiles: &mut [u16], split: bool) {
    for (from, tiles) in row.chunks(DEPTH).zip(tiles.chunks_exact_mut(step(split))) {
        let mut numbers = [0.0; DEPTH];
        let numbers = from.first_chunk().unwrap_or_else(|| {
            numbers[..from.len()].copy_from_slice(from);
            &numbers
        });
        let high = narrowed(numbers);
        let (to, low) = tiles.split_at_mut(TILE);
        let to = &mut to[line * DEPTH..][..DEPTH];
        // SAFETY: `to` has room for a vector; the store asks for no alignment.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), high) };
        if split {
            let to = &mut low[line * DEPTH..][..DEPTH];
            // SAFETY: as above.
            unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), narrowed(&rest(numbers, high))) };
        }
    }
}

/// What is left of numbers beside their high halves; nothing of what is infinite, or becomes so.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn rest(numbers: &[f32; DEPTH], high: __m512i) -> [f32; DEPTH] {
    let mut rest = [0.0; DEPTH];
    let halves = [_mm512_castsi512_si256(high), _mm512_extracti64x4_epi64::<1>(high)];
    for ((numbers, rest), high) in numbers.as_chunks().0.iter().zip(rest.as_chunks_mut().0).zip(halves) {
        let high = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(high)));
        let numbers: &[f32; SIDE] = numbers;
        let rest: &mut [f32; SIDE] = rest;
        // SAFETY: each is a vector of numbers; load and store ask for no alignment.
        unsafe {
            let left = _mm512_sub_ps(_mm512_loadu_ps(numbers.as_ptr()), high);
            let infinity = _mm512_set1_ps(f32::INFINITY);
            let finite = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(_mm512_abs_ps(left), infinity);
            _mm512_storeu_ps(rest.as_mut_ptr(), _mm512_maskz_mov_ps(finite, left));
        }
    }
    rest
}

/// What a unit must come to, in plain Rust.
pub(super) fn multiply_plainly(a: &Factor, b: &Factor, sums: &mut [f32; SUMS], go_on: bool) {
    let number = |bits: u16| bf16::from_bits(bits).to_f32();
    if !go_on {
        sums[..a.count * SIDE * BLOCK].fill(0.0);
    }
    for at in 0..a.steps * a.count * SIDE * BLOCK * DEPTH {
        let (at, k) = (at / DEPTH, at % DEPTH);
        let (at, column) = (at / BLOCK, at % BLOCK);
        let (row, start) = (at % (a.count * SIDE), at / (a.count * SIDE) * step(a.split));
        let left = &a.row(row / SIDE)[start + row % SIDE * DEPTH + k..];
        let right = &b.row(column / SIDE)[start + k / 2 * DEPTH + column % SIDE * 2 + k % 2..];
        let sum = &mut sums[row * BLOCK + column];
        *sum += number(left[0]) * number(right[0]);
        if a.split {
            *sum += number(left[TILE]) * number(right[0]);
            *sum += number(left[0]) * number(right[TILE]);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::kernels::Activation;
    use crate::kernels::gemm::Finish;
    use crate::kernels::portable::Portable;
    use crate::kernels::x86_64::Bf16;

    /// The unit in plain Rust.
    #[derive(Clone, Copy)]
    struct Plain;

    impl TileUnit for Plain {
        type Vectors = Portable;
        type Registers = Plain;

        unsafe fn begin(self) -> Plain {
            self
        }

        fn narrow(self, row: &[f32], line: usize, tiles: &mut [u16], split: bool) {
            for k in 0..row.len().next_multiple_of(DEPTH) {
                let at = k / DEPTH * step(split) + line * DEPTH + k % DEPTH;
                put(tiles, at, row.get(k).copied().unwrap_or_default(), split);
            }
        }

        fn vectors(self) -> Portable {
            Portable
        }
    }

    impl TileRegisters for Plain {
        fn multiply(&mut self, a: &Factor, b: &Factor, sums: &mut [f32; SUMS], go_on: bool) {
            multiply_plainly(a, b, sums, go_on);
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
            out_width: width,
            out: &mut out,
        });
        out
    }

    #[test]
    fn products_of_high_and_low_halves_are_nearly_as_exact_as_f32() {
        for (rows, depth, columns) in [(1, 1, 1), (16, 32, 32), (17, 33, 40), (70, 100, 65), (40, 900, 33)] {
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
        let (depth, columns) = (470, 96);
        let (x, weight) = (numbers(50 * depth, 1), numbers(columns * depth, 2));
        let all = layer(&x, &weight, depth, 0, true);
        assert_eq!(layer(&x[20 * depth..], &weight, depth, 0, true), all[20 * columns..]);
        let right = layer(&x, &weight, depth, 64, true);
        for (right, all) in right.chunks(32).zip(all.chunks(columns)) {
            assert_eq!(right, &all[64..]);
        }
    }

    #[test]
    fn vectors_narrow_a_row_as_plain_rust_does() {
        if Bf16::detect().is_none() {
            return; // the unit comes with these instructions
        }
        let mut row = numbers(100, 4);
        row[40..43].copy_from_slice(&[f32::INFINITY, f32::MAX, -0.0]);
        for length in [1, 31, 32, 33, 64, 100] {
            for (split, line) in [(false, 0), (true, 15)] {
                let mut found = vec![u16::MAX; row.len().div_ceil(DEPTH) * step(split)];
                let mut expected = found.clone();
                // SAFETY: this machine has the instructions.
                unsafe { narrow(&row[..length], line, &mut found, split) };
                Plain.narrow(&row[..length], line, &mut expected, split);
                assert_eq!(found, expected, "{length} numbers, split {split}");
            }
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
