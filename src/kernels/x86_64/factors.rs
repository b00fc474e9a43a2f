//! The factors of attention as pairs of bfloat16.

use std::arch::x86_64::*;
use std::cell::RefCell;
use std::thread::LocalKey;

use super::bf16::{Bf16, LANES, narrow};
use super::pairs::multiply;
use crate::kernels::factors::{Buffers, Factors};
use crate::kernels::gemm::{Lines, Product};
use crate::kernels::memory::sized;
use crate::kernels::pack::packed_size;
use crate::kernels::position_table::PositionTable;
use crate::kernels::simd::Simd;

thread_local! {
    static BUFFERS: RefCell<Buffers<u32>> = RefCell::default();
}

impl Factors for Bf16 {
    type Number = u32;
    const EACH: usize = 2;

    fn buffers() -> &'static LocalKey<RefCell<Buffers<u32>>> {
        &BUFFERS
    }

    fn positions(self, table: &PositionTable, head: usize) -> &[u32] {
        table.pairs(head)
    }

    fn rows<'a>(self, rows: Lines<'a>, count: usize, depth: usize, buffer: &'a mut Vec<u32>) -> Lines<'a, u32> {
        let stride = depth.div_ceil(2);
        let numbers = sized(buffer, count * stride);
        for (row, to) in rows.numbers.chunks(rows.stride).zip(numbers.chunks_exact_mut(stride)) {
            // SAFETY: `self` proves that this machine has the instructions.
            unsafe { narrow(&row[..depth], to) }
        }
        Lines { numbers, stride }
    }

    fn columns<'a>(
        self,
        rows: Lines,
        columns: usize,
        depth: usize,
        width: usize,
        buffer: &'a mut Vec<u32>,
    ) -> &'a [u32] {
        let pairs = depth.div_ceil(2);
        let panels = sized(buffer, packed_size(columns, pairs, width));
        for (p, panel) in panels.chunks_exact_mut(pairs * width).enumerate() {
            let first = p * width;
            let count = width.min(columns - first);
            for (pair, line) in panel.chunks_exact_mut(width).enumerate() {
                let row = |at: usize| &rows.from(at).numbers[first..][..count];
                let (low, high) = (row(2 * pair), (2 * pair + 1 < depth).then(|| row(2 * pair + 1)));
                // SAFETY: `self` proves that this machine has the instructions.
                unsafe { join(low, high, line) }
            }
        }
        panels
    }

    fn multiply<S: Simd>(self, _: S, product: Product<u32>) {
        // SAFETY: `self` proves that this machine has the instructions.
        unsafe { multiply(self.avx512(), product) }
    }
}

/// One number of each row to a pair; beyond the end of the rows are zeros.
#[target_feature(enable = "avx512f,avx512bf16")]
fn join(low: &[f32], high: Option<&[f32]>, to: &mut [u32]) {
    for (at, to) in (0..).step_by(LANES).zip(to.chunks_exact_mut(LANES)) {
        let mut pairs = bits(low, at);
        if let Some(high) = high {
            pairs = _mm512_or_si512(pairs, _mm512_slli_epi32::<16>(bits(high, at)));
        }
        // SAFETY: `to` has room for a vector; the store asks for no alignment.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), pairs) };
    }
}

/// The bits of the numbers of a row from `at` on, a vector or what is left, to the nearest, ties to even.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn bits(row: &[f32], at: usize) -> __m512i {
    let numbers = row.get(at..).unwrap_or_default();
    let there = u16::MAX.unbounded_shr(LANES.saturating_sub(numbers.len()) as u32);
    // SAFETY: only the numbers that there are, are read.
    let rounded = _mm512_cvtneps_pbh(unsafe { _mm512_maskz_loadu_ps(there, numbers.as_ptr()) });
    // SAFETY: both types are 32 plain bytes.
    _mm512_cvtepu16_epi32(unsafe { std::mem::transmute::<__m256bh, __m256i>(rounded) })
}
