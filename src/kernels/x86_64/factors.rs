//! The factors of attention as pairs of bfloat16.

use std::cell::RefCell;
use std::thread::LocalKey;

use super::bf16::{Bf16, narrow, round};
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
#[target_feature(enable = "avx512f,avx512bw,avx2")]
fn join(low: &[f32], high: Option<&[f32]>, to: &mut [u32]) {
    let (to, rest) = to.split_at_mut(low.len());
    match high {
        Some(high) => {
            let pairs = low.iter().zip(high).map(|(low, high)| u32::from(round(*low)) | u32::from(round(*high)) << 16);
            to.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair);
        }
        None => to.iter_mut().zip(low).for_each(|(to, low)| *to = u32::from(round(*low))),
    }
    rest.fill(0);
}
