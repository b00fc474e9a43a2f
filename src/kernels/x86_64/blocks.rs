//! Dense layers of whole numbers: one instruction multiplies many, and sums of their products are not rounded.
//!
//! Rows and columns are cut into blocks of [`BLOCK`] numbers, each with a step of its own, so that a number far from the
//! others makes only its own block coarser. A block of a row is `low + step * whole` with whole numbers from 0 up, a block
//! of a column is `step * whole` with whole numbers of both signs. The products of two blocks add up to a whole number
//! that has room in 32 bits; the blocks of a row are added up in f32, one after another.

use std::arch::x86_64::*;
use std::cell::RefCell;

use super::integer_tile::{BLOCK, Factors, Numbers, ROWS, Scale};
use super::integers::Unit;
use crate::kernels::gemm::{LinesMut, MAX_TILE, Output, Tile};
use crate::kernels::pack::Aligned;
use crate::kernels::part::Part;

/// The weights of a dense layer: panels of columns, one line for each word of the inner dimension. An end that fills no
/// block is filled with 0.
#[derive(Debug)]
pub(in crate::kernels) struct Blocks {
    unit: Unit,
    lines: Aligned<u32>,
    /// For each panel and block the steps of the columns, then the sums of their numbers times the step.
    scales: Vec<f32>,
    /// Blocks in a column.
    blocks: usize,
}

/// Input rows as whole numbers.
#[derive(Default)]
struct Input {
    words: Aligned<u32>,
    scales: Vec<Scale>,
}

thread_local! {
    static INPUT: RefCell<Input> = RefCell::default();
}

impl Blocks {
    /// Packs `weight (columns, depth)`, row-major.
    pub(in crate::kernels) fn new(unit: Unit, weight: &[f32], columns: usize, depth: usize) -> Self {
        let (blocks, width) = (depth.div_ceil(BLOCK), unit.isa().panel());
        let Numbers { in_word, most_of_columns, .. } = unit.numbers();
        let words = BLOCK / in_word;
        let mut lines = Aligned::zeros(columns.next_multiple_of(width) * blocks * words);
        let mut scales = vec![0.0; columns.next_multiple_of(width) * blocks * 2];
        for (column, row) in weight.chunks_exact(depth.max(1)).enumerate() {
            let (panel, column) = (column / width * blocks, column % width);
            for (block, numbers) in (panel..).zip(row.chunks(BLOCK)) {
                let mut joined = [0; BLOCK];
                let joined = &mut joined[..words];
                // SAFETY: `unit` proves that this machine has the instructions.
                let (step, sum) = unsafe { narrow_column(numbers, most_of_columns, joined) };
                let scales = &mut scales[block * 2 * width..][..2 * width];
                scales[column] = step;
                scales[width + column] = step * sum as f32;
                let lines = lines[block * words * width..].chunks_exact_mut(width);
                lines.zip(joined).for_each(|(line, word)| line[column] = *word);
            }
        }
        Self { unit, lines, scales, blocks }
    }

    /// The arithmetic, for people.
    pub(in crate::kernels) fn name(&self) -> &'static str {
        self.unit.numbers().name
    }

    /// Rows of the largest tile, and columns of a panel.
    pub(in crate::kernels) fn tile(&self) -> (usize, usize) {
        (ROWS, self.unit.isa().panel())
    }

    pub(in crate::kernels) fn product(&self, part: Part) {
        /// Words in a block of rows: half of a second cache of 512 KiB.
        const CACHED: usize = 1 << 16;
        let words = self.blocks * BLOCK / self.unit.numbers().in_word;
        INPUT.with_borrow_mut(|input| part.in_blocks(CACHED, words, ROWS, |part| self.block(part, input)));
    }

    fn block(&self, part: Part, input: &mut Input) {
        let (unit, blocks) = (self.unit, self.blocks);
        let width = unit.isa().panel();
        let Numbers { in_word, most_of_rows, .. } = unit.numbers();
        // Of a block.
        let each = BLOCK / in_word;
        // An odd number of cache lines between rows, so that they do not share sets of the first cache.
        let stride = (blocks * each).next_multiple_of(LINE) | LINE;
        let rows = part.rows();
        let words = input.words.resize(rows * stride);
        input.scales.clear();
        for (row, to) in part.x.chunks_exact(part.depth.max(1)).zip(words.chunks_exact_mut(stride)) {
            for (numbers, to) in row.chunks(BLOCK).zip(to.chunks_exact_mut(each)) {
                // SAFETY: `unit` proves that this machine has the instructions.
                input.scales.push(unsafe { narrow_row(numbers, most_of_rows, to) });
            }
        }
        let (words, scales) = (&*words, &*input.scales);
        let (mut products, c) = ([0.0; MAX_TILE], LinesMut { numbers: part.out, stride: part.out_width });
        let mut out = Output { finish: part.finish, c, width, products: &mut products };
        for tile in Tile::all([rows, part.width], [ROWS, width]) {
            let (row, panel) = (tile.rows.start, (part.column + tile.columns.start) / width * blocks);
            let factors = Factors {
                words: &words[row * stride..],
                stride,
                scales_of_rows: &scales[row * blocks..],
                lines: &self.lines[panel * each * width..][..blocks * each * width],
                scales_of_columns: &self.scales[panel * 2 * width..][..blocks * 2 * width],
                blocks,
            };
            unit.multiply(tile.rows.len(), factors, out.room(&tile));
            if let Some(write) = out.rest(tile) {
                unit.run(write);
            }
        }
    }
}

/// Words in a cache line.
const LINE: usize = 16;

/// Rounds a block of a row, or its shorter end, to whole numbers. Where it holds infinity or what is no number, its
/// scale is no number.
#[target_feature(enable = "avx2,fma")]
fn narrow_row(numbers: &[f32], most: u16, to: &mut [u32]) -> Scale {
    // A shorter end is filled up with one of its numbers, so that its range stays.
    let block = block(numbers, numbers[0]);
    let Some([low, high]) = range(&block) else {
        return Scale { step: f32::NAN, low: f32::NAN };
    };
    let step = (high - low) / f32::from(most);
    if !step.is_finite() {
        return Scale { step: f32::NAN, low: f32::NAN };
    }
    join(&wholes(&block, low, inverse(step)), to);
    Scale { step, low }
}

/// Rounds a block of a column, or its shorter end, to whole numbers; their step, and their sum.
#[target_feature(enable = "avx2,fma")]
fn narrow_column(numbers: &[f32], most: u16, to: &mut [u32]) -> (f32, i32) {
    let block = block(numbers, 0.0);
    let Some([low, high]) = range(&block) else {
        return (f32::NAN, 0);
    };
    let step = high.max(-low) / f32::from(most);
    let wholes = wholes(&block, 0.0, inverse(step));
    join(&wholes, to);
    let mut sums = [0; LANES];
    let sum = wholes.into_iter().fold(_mm256_setzero_si256(), |sum, whole| _mm256_add_epi32(sum, whole));
    // SAFETY: there is room for a vector; the store asks for no alignment.
    unsafe { _mm256_storeu_si256(sums.as_mut_ptr().cast(), sum) };
    (step, sums.iter().sum())
}

/// Numbers in a vector, and whole numbers.
const LANES: usize = 8;
/// Vectors of a block.
const VECTORS: usize = BLOCK / LANES;

/// A block, the end of a shorter one filled up.
#[inline]
#[target_feature(enable = "avx2")]
fn block(numbers: &[f32], filling: f32) -> [__m256; VECTORS] {
    let mut filled = [filling; BLOCK];
    let numbers: &[f32; BLOCK] = numbers.first_chunk().unwrap_or_else(|| {
        filled[..numbers.len()].copy_from_slice(numbers);
        &filled
    });
    let mut block = [_mm256_setzero_ps(); VECTORS];
    for (x, numbers) in block.iter_mut().zip(numbers.as_chunks::<LANES>().0) {
        // SAFETY: as many numbers make up a vector; the load asks for no alignment.
        *x = unsafe { _mm256_loadu_ps(numbers.as_ptr()) };
    }
    block
}

/// The least and the greatest number of a block, where all are finite.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn range(block: &[__m256; VECTORS]) -> Option<[f32; 2]> {
    let (mut low, mut high) = (block[0], block[0]);
    // What is not finite, times 0, is no number and stays so.
    let mut zero = _mm256_setzero_ps();
    for x in block {
        (low, high) = (_mm256_min_ps(*x, low), _mm256_max_ps(*x, high));
        zero = _mm256_fmadd_ps(*x, _mm256_setzero_ps(), zero);
    }
    if _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(zero, _mm256_setzero_ps())) != (1 << LANES) - 1 {
        return None;
    }
    // The greatest of both signs side by side.
    let low = _mm256_xor_ps(low, _mm256_set1_ps(-0.0));
    let fours = _mm256_max_ps(_mm256_unpacklo_ps(low, high), _mm256_unpackhi_ps(low, high));
    let twos = _mm_max_ps(_mm256_castps256_ps128(fours), _mm256_extractf128_ps::<1>(fours));
    let ends = _mm_max_ps(twos, _mm_movehl_ps(twos, twos));
    Some([-_mm_cvtss_f32(ends), _mm_cvtss_f32(_mm_movehdup_ps(ends))])
}

/// To the nearest whole numbers of steps above `low`, ties to even.
#[inline]
#[target_feature(enable = "avx2")]
fn wholes(block: &[__m256; VECTORS], low: f32, inverse: f32) -> [__m256i; VECTORS] {
    let (low, inverse) = (_mm256_set1_ps(low), _mm256_set1_ps(inverse));
    let mut wholes = [_mm256_setzero_si256(); VECTORS];
    for (whole, x) in wholes.iter_mut().zip(block) {
        *whole = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_sub_ps(*x, low), inverse));
    }
    wholes
}

/// What turns numbers into steps. One too small to have an inverse is not seen beside the numbers of any other block.
#[inline(always)]
fn inverse(step: f32) -> f32 {
    if step > 2.0 * f32::MIN_POSITIVE { 1.0 / step } else { 0.0 }
}

/// Whole numbers, as many to a word as make as many words as there are.
#[inline]
#[target_feature(enable = "avx2")]
fn join(wholes: &[__m256i; VECTORS], to: &mut [u32]) {
    let to = to.as_chunks_mut::<LANES>().0;
    if to.len() == VECTORS / 2 {
        for (to, two) in to.iter_mut().zip(wholes.as_chunks::<2>().0) {
            // Each half of a register is packed apart.
            store(_mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(two[0], two[1])), to);
        }
    } else {
        // Of those with a sign, too, the last 8 bits are the byte.
        let byte = _mm256_set1_epi32(0xff);
        for (to, four) in to.iter_mut().zip(wholes.as_chunks::<4>().0) {
            let two =
                |i: usize| _mm256_packs_epi32(_mm256_and_si256(four[i], byte), _mm256_and_si256(four[i + 1], byte));
            let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            store(_mm256_permutevar8x32_epi32(_mm256_packus_epi16(two(0), two(2)), order), to);
        }
    }
}

/// Fills words.
#[inline]
#[target_feature(enable = "avx2")]
fn store(x: __m256i, to: &mut [u32; LANES]) {
    // SAFETY: there is room for a vector; the store asks for no alignment.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), x) };
}
