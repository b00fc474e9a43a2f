//! Dense layers of whole numbers: one instruction multiplies many, and sums of their products are not rounded.
//!
//! Rows and columns are cut into blocks of [`BLOCK`] numbers, each with a step of its own, so that a number far from the
//! others makes only its own block coarser. A block of a row is `low + step * whole` with whole numbers from 0 up, a block
//! of a column is `step * whole` with whole numbers of both signs. The products of two blocks add up to a whole number
//! that has room in 32 bits; the blocks of a row are added up in f32, one after another.

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
    let block = filled(numbers, numbers[0]);
    let low = reduced(&block, |a, b| if b < a { b } else { a });
    let high = reduced(&block, |a, b| if b > a { b } else { a });
    let step = (high - low) / f32::from(most);
    if !are_finite(&block) || !step.is_finite() {
        return Scale { step: f32::NAN, low: f32::NAN };
    }
    let inverse = inverse(step);
    join(&block.map(|x| rounded((x - low) * inverse)), to);
    Scale { step, low }
}

/// Rounds a block of a column, or its shorter end, to whole numbers; their step, and their sum.
#[target_feature(enable = "avx2,fma")]
fn narrow_column(numbers: &[f32], most: u16, to: &mut [u32]) -> (f32, i32) {
    let block = filled(numbers, 0.0);
    if !are_finite(&block) {
        return (f32::NAN, 0);
    }
    let step = reduced(&block.map(f32::abs), |a, b| if b > a { b } else { a }) / f32::from(most);
    let inverse = inverse(step);
    let wholes = block.map(|x| rounded(x * inverse));
    join(&wholes, to);
    (step, wholes.iter().sum())
}

/// A block, the end of a shorter one filled up.
#[inline(always)]
fn filled(numbers: &[f32], filling: f32) -> [f32; BLOCK] {
    let mut block = [filling; BLOCK];
    block[..numbers.len()].copy_from_slice(numbers);
    block
}

/// The number that is left when `choose` takes one of two, in an order that compiles to vectors.
#[inline(always)]
fn reduced(block: &[f32; BLOCK], choose: impl Fn(f32, f32) -> f32) -> f32 {
    const LANES: usize = 8;
    let mut lanes = [block[0]; LANES];
    for vector in block.as_chunks::<LANES>().0 {
        lanes.iter_mut().zip(vector).for_each(|(lane, x)| *lane = choose(*lane, *x));
    }
    lanes.into_iter().fold(block[0], choose)
}

#[inline(always)]
fn are_finite(block: &[f32; BLOCK]) -> bool {
    let largest = block.iter().fold(0, |most: u32, x| most.max(x.abs().to_bits()));
    largest < f32::INFINITY.to_bits()
}

/// What turns numbers into steps. One too small to have an inverse is not seen beside the numbers of any other block.
#[inline(always)]
fn inverse(step: f32) -> f32 {
    if step > 2.0 * f32::MIN_POSITIVE { 1.0 / step } else { 0.0 }
}

/// To the nearest whole number, ties to even, below 2^22: [`f32::round_ties_even`] in a form that compiles to vectors.
#[inline(always)]
fn rounded(x: f32) -> i32 {
    /// A number of this size has no bits for a fraction.
    const WHOLE: f32 = 12_582_912.0;
    (x + WHOLE).to_bits().wrapping_sub(WHOLE.to_bits()).cast_signed()
}

/// Whole numbers, as many to a word as make as many words as there are.
#[inline(always)]
fn join(wholes: &[i32; BLOCK], to: &mut [u32]) {
    if to.len() == BLOCK / 2 {
        let halves = wholes.map(|whole| whole as u16);
        let words = halves.as_chunks().0.iter().map(|[low, high]| u32::from(*low) | u32::from(*high) << 16);
        to.iter_mut().zip(words).for_each(|(to, word)| *to = word);
    } else {
        let bytes = wholes.map(|whole| whole as u8);
        let words = bytes.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
        to.iter_mut().zip(words).for_each(|(to, word)| *to = word);
    }
}
