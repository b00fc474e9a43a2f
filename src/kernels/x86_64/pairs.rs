//! Dense layers on AVX-512-BF16: one instruction multiplies 16 pairs of bfloat16 and adds both
//! products to 16 sums in f32. Twice the arithmetic of f32, half the memory.

use std::arch::x86_64::*;
use std::cell::RefCell;

use half::bf16;

use super::Avx512;
use super::bf16::{Bf16, narrow};
use crate::kernels::gemm::{Lines, LinesMut, MAX_TILE, Output, Product, Tile, with_height};
use crate::kernels::pack::Aligned;
use crate::kernels::part::Part;
use crate::kernels::simd::Kernel;

/// Columns of a panel: two vectors of sums.
const WIDTH: usize = 32;

/// 28 sums, two vectors of weights and one pair of the input: 31 of the 32 registers.
const ROWS: usize = 14;

/// The weights of a dense layer: panels of [`WIDTH`] columns, one line for each pair of the inner
/// dimension, the earlier number of the pair in the lower half. An odd end is paired with 0.
#[derive(Debug)]
pub(in crate::kernels) struct Pairs {
    unit: Bf16,
    lines: Aligned<u32>,
    /// Pairs in a column.
    depth: usize,
}

thread_local! {
    /// A block of input rows as pairs.
    static INPUT: RefCell<Aligned<u32>> = RefCell::default();
}

impl Pairs {
    /// Rows of the largest tile, and columns of a panel.
    pub(in crate::kernels) const TILE: (usize, usize) = (ROWS, WIDTH);

    /// Packs `weight (columns, depth)`, row-major.
    pub(in crate::kernels) fn new(unit: Bf16, weight: &[f32], columns: usize, depth: usize) -> Self {
        let pairs = depth.div_ceil(2);
        let mut lines = Aligned::zeros(columns.next_multiple_of(WIDTH) * pairs);
        for (column, row) in weight.chunks_exact(depth.max(1)).enumerate() {
            let panel = &mut lines[column / WIDTH * WIDTH * pairs..];
            for (line, two) in panel.chunks_exact_mut(WIDTH).zip(row.chunks(2)) {
                let bits = |at: usize| two.get(at).map_or(0, |x| u32::from(bf16::from_f32(*x).to_bits()));
                line[column % WIDTH] = bits(0) | bits(1) << 16;
            }
        }
        Self { unit, lines, depth: pairs }
    }

    pub(in crate::kernels) fn product(&self, part: Part) {
        /// Pairs in a block of rows: half of a second cache of 1 MiB.
        const CACHED: usize = 1 << 17;
        INPUT.with_borrow_mut(|input| {
            part.in_blocks(CACHED, self.depth, ROWS, |part| {
                // SAFETY: `unit` proves that this machine has the instructions.
                unsafe { self.block(part, input) }
            });
        });
    }

    /// All panels.
    pub(in crate::kernels) fn lines(&self) -> &[u32] {
        &self.lines
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16,avx2,fma")]
    fn block(&self, part: Part, input: &mut Aligned<u32>) {
        // An odd number of cache lines between rows, so that they do not share sets of the first cache.
        let stride = (self.depth.div_ceil(16) | 1) * 16;
        let rows = part.rows();
        let input = input.resize(rows * stride);
        for (row, to) in part.x.chunks_exact(part.depth.max(1)).zip(input.chunks_exact_mut(stride)) {
            narrow(row, to);
        }
        let product = Product {
            a: Lines { numbers: input, stride },
            rows,
            depth: self.depth,
            panels: &self.lines[part.column * self.depth..],
            panel_depth: self.depth,
            columns: part.width,
            c: LinesMut { numbers: part.out, stride: part.out_width },
            finish: part.finish,
        };
        multiply(self.unit.avx512(), product);
    }
}

/// A product of pairs.
#[target_feature(enable = "avx512f,avx512bf16,avx2,fma")]
pub(super) fn multiply(s: Avx512, product: Product<u32>) {
    let Product { a, rows, depth, panels, panel_depth, columns, c, finish } = product;
    let mut products = [0.0; MAX_TILE];
    let mut out = Output { finish, c, width: WIDTH, products: &mut products };
    for tile in Tile::all([rows, columns], [ROWS, WIDTH]) {
        let panel = &panels[tile.columns.start * panel_depth..][..depth * WIDTH];
        tiles(tile.rows.len(), a.from(tile.rows.start), panel, out.room(&tile));
        if let Some(write) = out.rest(tile) {
            write.run(s);
        }
    }
}

/// [`tile`] of a height.
#[target_feature(enable = "avx512f,avx512bf16")]
fn tiles(rows: usize, a: Lines<u32>, panel: &[u32], c: LinesMut) {
    with_height!(rows, ROWS, HEIGHT => tile::<HEIGHT>(a, panel, c));
}

/// `N` rows by one panel, the sums in registers.
#[target_feature(enable = "avx512f,avx512bf16")]
fn tile<const N: usize>(a: Lines<u32>, panel: &[u32], c: LinesMut) {
    let depth = panel.len() / WIDTH;
    let mut rows: [&[u32]; N] = [&[]; N];
    for (r, row) in rows.iter_mut().enumerate() {
        *row = a.row(r, depth);
    }
    let mut sums = [[_mm512_setzero_ps(); 2]; N];
    for (k, line) in panel.as_chunks::<WIDTH>().0.iter().enumerate() {
        let line = line.as_ptr();
        // SAFETY: a line holds two vectors; the load asks for no alignment.
        let b = unsafe { [_mm512_loadu_si512(line.cast()), _mm512_loadu_si512(line.add(WIDTH / 2).cast())] };
        for r in 0..N {
            let a = pairs(_mm512_set1_epi32(rows[r][k].cast_signed()));
            sums[r][0] = _mm512_dpbf16_ps(sums[r][0], a, pairs(b[0]));
            sums[r][1] = _mm512_dpbf16_ps(sums[r][1], a, pairs(b[1]));
        }
    }
    let LinesMut { numbers: c, stride } = c;
    for r in 0..N {
        let to = &mut c[r * stride..][..WIDTH];
        // SAFETY: `to` holds two vectors; the store asks for no alignment.
        unsafe {
            _mm512_storeu_ps(to.as_mut_ptr(), sums[r][0]);
            _mm512_storeu_ps(to.as_mut_ptr().add(WIDTH / 2), sums[r][1]);
        }
    }
}

/// Pairs of bfloat16, the earlier number in the lower half.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn pairs(x: __m512i) -> __m512bh {
    // SAFETY: both types are 64 plain bytes.
    unsafe { std::mem::transmute(x) }
}
