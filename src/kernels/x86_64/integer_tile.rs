//! Tiles of a product of whole numbers, whatever the instructions.

use crate::kernels::gemm::{LinesMut, with_height};
use crate::kernels::simd::Simd;

/// Numbers of the inner dimension that share a step. More are coarser; fewer cost more scaling.
pub(super) const BLOCK: usize = 64;

/// Rows of the largest tile: 12 sums of whole numbers, two vectors of weights, one word of the input and one vector of
/// products are 16 registers.
pub(super) const ROWS: usize = 6;

/// Vectors of words of 32 bits, beside those of numbers.
pub(super) trait Integers: Simd {
    /// As many words as a vector has numbers.
    type W: Copy;

    /// Zeros.
    fn no_words(self) -> Self::W;
    fn splat_word(self, word: u32) -> Self::W;
    /// The first words of `from`, which has as many.
    fn load_words(self, from: &[u32]) -> Self::W;
    /// The numbers that the words are, rounded to the nearest.
    fn numbers(self, words: Self::W) -> Self::V;
}

/// The whole numbers that an instruction multiplies.
pub(super) struct Numbers {
    pub(super) in_word: usize,
    /// Numbers of rows are from 0 to this.
    pub(super) most_of_rows: u16,
    /// Numbers of columns are from minus this to this.
    pub(super) most_of_columns: u16,
    /// For people.
    pub(super) name: &'static str,
}

/// What an instruction makes of vectors of words that hold a few numbers each, the first one lowest.
pub(super) trait Multiply: Copy {
    /// Where the words are.
    type S: Integers;
    const NUMBERS: Numbers;

    fn vectors(self) -> Self::S;
    /// Adds to each word of `sum` the products of the numbers in the same word of `row` and of `column`.
    fn add_products(
        self,
        sum: <Self::S as Integers>::W,
        row: <Self::S as Integers>::W,
        column: <Self::S as Integers>::W,
    ) -> <Self::S as Integers>::W;
}

/// A block of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) step: f32,
    pub(super) low: f32,
}

/// What a tile is the product of.
#[derive(Clone, Copy)]
pub(super) struct Factors<'a> {
    /// The rows from the first of the tile on.
    pub(super) words: &'a [u32],
    /// Words from one row to the next.
    pub(super) stride: usize,
    pub(super) scales_of_rows: &'a [Scale],
    /// The lines of a panel.
    pub(super) lines: &'a [u32],
    /// For each block the steps of the columns, then the sums.
    pub(super) scales_of_columns: &'a [f32],
    /// Blocks in a row, and in a column.
    pub(super) blocks: usize,
}

/// [`tile`] of a height.
#[inline(always)]
pub(super) fn multiply<M: Multiply>(m: M, height: usize, factors: Factors, c: LinesMut) {
    with_height!(height, ROWS, HEIGHT => tile::<M, HEIGHT>(m, factors, c));
}

/// `N` rows by one panel, the sums of a block in registers.
#[inline(always)]
fn tile<M: Multiply, const N: usize>(m: M, factors: Factors, c: LinesMut) {
    let s = m.vectors();
    let Factors { stride, blocks, .. } = factors;
    let (lanes, each) = (M::S::LANES, BLOCK / M::NUMBERS.in_word);
    let width = 2 * lanes;
    let words: [&[u32]; N] = std::array::from_fn(|r| &factors.words[r * stride..][..blocks * each]);
    let scales: [&[Scale]; N] = std::array::from_fn(|r| &factors.scales_of_rows[r * blocks..][..blocks]);
    let mut totals = [[s.splat(0.0); 2]; N];
    let blocks = factors.lines.chunks_exact(each * width).zip(factors.scales_of_columns.chunks_exact(2 * width));
    for (block, (lines, columns)) in blocks.enumerate() {
        let words = words.map(|words| &words[block * each..][..each]);
        let mut sums = [[s.no_words(); 2]; N];
        for (k, line) in lines.chunks_exact(width).enumerate() {
            let line = [s.load_words(&line[..lanes]), s.load_words(&line[lanes..])];
            for r in 0..N {
                let word = s.splat_word(words[r][k]);
                sums[r][0] = m.add_products(sums[r][0], word, line[0]);
                sums[r][1] = m.add_products(sums[r][1], word, line[1]);
            }
        }
        let (steps, column_sums) = columns.split_at(width);
        for half in 0..2 {
            let [step, column_sum] = [steps, column_sums].map(|numbers| s.load(&numbers[half * lanes..]));
            for r in 0..N {
                let Scale { step: row_step, low } = scales[r][block];
                let scaled = s.mul(s.numbers(sums[r][half]), step);
                let total = s.mul_add(scaled, s.splat(row_step), totals[r][half]);
                totals[r][half] = s.mul_add(column_sum, s.splat(low), total);
            }
        }
    }
    let LinesMut { numbers: c, stride } = c;
    for r in 0..N {
        let to = &mut c[r * stride..][..width];
        s.store(totals[r][0], &mut to[..lanes]);
        s.store(totals[r][1], &mut to[lanes..]);
    }
}
