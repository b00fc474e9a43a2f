//! Dense layers on AVX-512-VNNI: one instruction multiplies 64 pairs of bytes and adds the products by fours to 16
//! whole numbers. Four times the arithmetic of f32, a quarter of the memory.
//!
//! Rows and columns are cut into blocks of [`BLOCK`] numbers, so that a number far from the others makes only its own
//! block coarser. A block of a row is `low + step * byte` with bytes from 0 to 255, a block of a column is `step * byte`
//! with bytes from -127 to 127. The products of two blocks add up to a whole number without rounding; the blocks of a row
//! are added up in f32, one after another.

use std::arch::x86_64::*;
use std::cell::RefCell;

use super::Avx512;
use crate::kernels::pack::Aligned;
use crate::kernels::part::Part;

/// Proof that this machine has AVX-512-VNNI: only [`Vnni::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct Vnni(Avx512);

impl Vnni {
    pub(in crate::kernels) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512dq");
        Avx512::detect().filter(|_| has).map(Self)
    }
}

/// Numbers of the inner dimension that share a step. More are coarser; fewer cost more scaling.
const BLOCK: usize = 64;

/// Numbers in a vector.
const LANES: usize = 16;

/// Bytes that one lane multiplies.
const QUAD: usize = 4;

/// Lines of a block: quads of each column.
const LINES: usize = BLOCK / QUAD;

/// Columns of a panel: two vectors of sums.
const WIDTH: usize = 32;

/// 12 whole sums, as many in f32, two vectors of weights and one quad of the input: 27 of the 32 registers.
const ROWS: usize = 6;

/// The heights of tiles there are.
const HEIGHTS: [usize; 4] = [ROWS, 4, 2, 1];

/// The weights of a dense layer: panels of [`WIDTH`] columns, one line for each quad of the inner dimension, the first
/// byte lowest. An end that fills no block is filled with 0.
#[derive(Debug)]
pub(in crate::kernels) struct Bytes {
    unit: Vnni,
    lines: Aligned<u32>,
    /// For each panel and block.
    scales: Vec<Columns>,
    /// Blocks in a column.
    blocks: usize,
}

/// A block of each column of a panel.
#[derive(Clone, Debug)]
struct Columns {
    steps: [f32; WIDTH],
    /// Of the block's numbers, as the bytes have them.
    sums: [f32; WIDTH],
}

/// A block of a row.
#[derive(Clone, Copy, Debug, Default)]
struct Scale {
    step: f32,
    low: f32,
}

/// Input rows as bytes.
#[derive(Default)]
struct Input {
    quads: Aligned<u32>,
    scales: Vec<Scale>,
}

thread_local! {
    static INPUT: RefCell<Input> = RefCell::default();
}

impl Bytes {
    /// Rows of the largest tile, and columns of a panel.
    pub(in crate::kernels) const TILE: (usize, usize) = (ROWS, WIDTH);

    /// Packs `weight (columns, depth)`, row-major.
    pub(in crate::kernels) fn new(unit: Vnni, weight: &[f32], columns: usize, depth: usize) -> Self {
        let blocks = depth.div_ceil(BLOCK);
        let mut lines = Aligned::zeros(columns.next_multiple_of(WIDTH) * blocks * LINES);
        let empty = Columns { steps: [0.0; WIDTH], sums: [0.0; WIDTH] };
        let mut scales = vec![empty; columns.div_ceil(WIDTH) * blocks];
        for (column, row) in weight.chunks_exact(depth.max(1)).enumerate() {
            let (panel, column) = (column / WIDTH * blocks, column % WIDTH);
            for (block, numbers) in (panel..).zip(row.chunks(BLOCK)) {
                // SAFETY: `unit` proves that this machine has the instructions.
                let (quads, step, sum) = unsafe { narrow_weights(numbers) };
                scales[block].steps[column] = step;
                scales[block].sums[column] = step * sum as f32;
                let lines = lines[block * LINES * WIDTH..].chunks_exact_mut(WIDTH);
                lines.zip(quads).for_each(|(line, quad)| line[column] = quad);
            }
        }
        Self { unit, lines, scales, blocks }
    }

    pub(in crate::kernels) fn product(&self, part: Part) {
        /// Quads in a block of rows: half of a second cache of 1 MiB.
        const CACHED: usize = 1 << 17;
        INPUT.with_borrow_mut(|input| {
            part.in_blocks(CACHED, self.blocks * LINES, ROWS, |part| {
                // SAFETY: `unit` proves that this machine has the instructions.
                unsafe { self.block(part, input) }
            });
        });
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512vnni,avx2,fma")]
    fn block(&self, part: Part, input: &mut Input) {
        let blocks = self.blocks;
        // An odd number of cache lines between rows, so that they do not share sets of the first cache.
        let stride = (blocks | 1) * LINES;
        let quads = input.quads.resize(part.rows() * stride);
        input.scales.clear();
        for (row, to) in part.x.chunks_exact(part.depth.max(1)).zip(quads.chunks_exact_mut(stride)) {
            for (numbers, to) in row.chunks(BLOCK).zip(to.as_chunks_mut().0) {
                input.scales.push(narrow(numbers, to));
            }
        }
        let (quads, scales, first) = (&*quads, &*input.scales, part.column);
        part.in_tiles(self.unit.0, &HEIGHTS, WIDTH, |tile| {
            let panel = (first + tile.column) / WIDTH * blocks;
            let lines = &self.lines[panel * LINES * WIDTH..][..blocks * LINES * WIDTH];
            let panel = Panel { lines: lines.as_chunks().0, scales: &self.scales[panel..][..blocks] };
            let row = tile.rows.start;
            let rows = Rows { quads: &quads[row * stride..], stride, scales: &scales[row * blocks..] };
            multiply(tile.rows.len(), &rows, &panel, tile.c, tile.c_stride);
        });
    }
}

/// Rows of the input from the first of a tile on.
struct Rows<'a> {
    quads: &'a [u32],
    /// Quads from one row to the next.
    stride: usize,
    scales: &'a [Scale],
}

/// Weights of [`WIDTH`] columns.
struct Panel<'a> {
    lines: &'a [[u32; LINES * WIDTH]],
    scales: &'a [Columns],
}

/// A block of a row, or its shorter end, filled up with one of its numbers so that its range stays.
#[target_feature(enable = "avx512f")]
fn vectors(numbers: &[f32]) -> [__m512; BLOCK / LANES] {
    let mut end = [0.0; BLOCK];
    let numbers: &[f32; BLOCK] = match numbers.first_chunk() {
        Some(whole) => whole,
        None => {
            end.fill(numbers[0]);
            end[..numbers.len()].copy_from_slice(numbers);
            &end
        }
    };
    let mut x = [_mm512_setzero_ps(); BLOCK / LANES];
    for (x, numbers) in x.iter_mut().zip(numbers.as_chunks::<LANES>().0) {
        // SAFETY: a vector of them; the load asks for no alignment.
        *x = unsafe { _mm512_loadu_ps(numbers.as_ptr()) };
    }
    x
}

#[target_feature(enable = "avx512f")]
fn least(x: &[__m512; BLOCK / LANES]) -> f32 {
    _mm512_reduce_min_ps(_mm512_min_ps(_mm512_min_ps(x[0], x[1]), _mm512_min_ps(x[2], x[3])))
}

#[target_feature(enable = "avx512f")]
fn greatest(x: &[__m512; BLOCK / LANES]) -> f32 {
    _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(x[0], x[1]), _mm512_max_ps(x[2], x[3])))
}

#[target_feature(enable = "avx512f,avx512dq")]
fn are_finite(x: &[__m512; BLOCK / LANES]) -> bool {
    /// All classes of numbers that are not.
    const OTHERS: i32 = 0x99;
    x.iter().fold(0, |found, x| found | _mm512_fpclass_ps_mask::<OTHERS>(*x)) == 0
}

/// What turns numbers into steps. One too small to have an inverse is not seen beside the numbers of any other block.
fn inverse(step: f32) -> f32 {
    if step > 2.0 * f32::MIN_POSITIVE { 1.0 / step } else { 0.0 }
}

/// Rounds a block of a row, or its shorter end, to bytes. Where it holds infinity or what is no number, so is its scale.
#[target_feature(enable = "avx512f,avx512dq")]
fn narrow(numbers: &[f32], to: &mut [u32; LINES]) -> Scale {
    let x = vectors(numbers);
    let low = least(&x);
    let step = (greatest(&x) - low) / 255.0;
    if !are_finite(&x) || !step.is_finite() {
        return Scale { step: f32::NAN, low: f32::NAN };
    }
    let (first, inverse) = (_mm512_set1_ps(low), _mm512_set1_ps(inverse(step)));
    for (x, to) in x.into_iter().zip(to.as_chunks_mut::<QUAD>().0) {
        let steps = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_sub_ps(x, first), inverse));
        // SAFETY: `to` holds 16 bytes; the store asks for no alignment.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtusepi32_epi8(steps)) };
    }
    Scale { step, low }
}

/// Rounds a block of a column, or its shorter end, to bytes; their step, and their sum.
#[target_feature(enable = "avx512f,avx512dq")]
fn narrow_weights(numbers: &[f32]) -> ([u32; LINES], f32, i32) {
    let mut quads = [0; LINES];
    let x = vectors(numbers);
    if !are_finite(&x) {
        return (quads, f32::NAN, 0);
    }
    let step = greatest(&x.map(|x| _mm512_abs_ps(x))) / 127.0;
    let inverse = _mm512_set1_ps(inverse(step));
    let mut sum = _mm512_setzero_si512();
    for (at, x) in x.into_iter().enumerate() {
        // What fills a shorter end counts as 0.
        let wanted = numbers.len().saturating_sub(at * LANES).min(LANES);
        let steps = _mm512_maskz_cvtps_epi32(((1_u32 << wanted) - 1) as u16, _mm512_mul_ps(x, inverse));
        sum = _mm512_add_epi32(sum, steps);
        let to = &mut quads[at * LANES / QUAD..][..LANES / QUAD];
        // SAFETY: `to` holds 16 bytes; the store asks for no alignment.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtsepi32_epi8(steps)) };
    }
    (quads, step, _mm512_reduce_add_epi32(sum))
}

/// [`tile`] of a height there is.
#[target_feature(enable = "avx512f,avx512vnni")]
fn multiply(height: usize, rows: &Rows, panel: &Panel, c: &mut [f32], c_stride: usize) {
    match height {
        ROWS => tile::<ROWS>(rows, panel, c, c_stride),
        4 => tile::<4>(rows, panel, c, c_stride),
        2 => tile::<2>(rows, panel, c, c_stride),
        _ => tile::<1>(rows, panel, c, c_stride),
    }
}

/// `N` rows by one panel, the sums in registers.
#[target_feature(enable = "avx512f,avx512vnni")]
fn tile<const N: usize>(rows: &Rows, panel: &Panel, c: &mut [f32], c_stride: usize) {
    let blocks = panel.lines.len();
    let mut quads: [&[[u32; LINES]]; N] = [&[]; N];
    let mut scales: [&[Scale]; N] = [&[]; N];
    for r in 0..N {
        quads[r] = &rows.quads[r * rows.stride..][..blocks * LINES].as_chunks().0[..blocks];
        scales[r] = &rows.scales[r * blocks..][..blocks];
    }
    let mut totals = [[_mm512_setzero_ps(); 2]; N];
    for (block, (lines, columns)) in panel.lines.iter().zip(panel.scales).enumerate() {
        let mut sums = [[_mm512_setzero_si512(); 2]; N];
        for (k, line) in lines.as_chunks::<WIDTH>().0.iter().enumerate() {
            let line = line.as_ptr();
            // SAFETY: a line holds two vectors; the load asks for no alignment.
            let b = unsafe { [_mm512_loadu_si512(line.cast()), _mm512_loadu_si512(line.add(WIDTH / 2).cast())] };
            for r in 0..N {
                let a = _mm512_set1_epi32(quads[r][block][k].cast_signed());
                sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], a, b[0]);
                sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], a, b[1]);
            }
        }
        for half in 0..2 {
            // SAFETY: both hold two vectors; the load asks for no alignment.
            let [step, sum] = [&columns.steps, &columns.sums]
                .map(|numbers| unsafe { _mm512_loadu_ps(numbers.as_ptr().add(half * WIDTH / 2)) });
            for r in 0..N {
                let Scale { step: row_step, low } = scales[r][block];
                let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[r][half]), step);
                let total = _mm512_fmadd_ps(scaled, _mm512_set1_ps(row_step), totals[r][half]);
                totals[r][half] = _mm512_fmadd_ps(sum, _mm512_set1_ps(low), total);
            }
        }
    }
    for r in 0..N {
        let to = &mut c[r * c_stride..][..WIDTH];
        // SAFETY: `to` holds two vectors; the store asks for no alignment.
        unsafe {
            _mm512_storeu_ps(to.as_mut_ptr(), totals[r][0]);
            _mm512_storeu_ps(to.as_mut_ptr().add(WIDTH / 2), totals[r][1]);
        }
    }
}
