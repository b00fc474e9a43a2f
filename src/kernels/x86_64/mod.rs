//! Kernels for x86-64 processors.

mod amx;
mod avx2;
mod avx512;
mod bf16;
mod bytes;
mod tiles;

pub(super) use amx::Amx;
pub(super) use avx2::Avx2;
pub(super) use avx512::Avx512;
pub(super) use bf16::{Bf16, Pairs};
pub(super) use bytes::{Bytes, Vnni};
pub(super) use tiles::Tiles;

use super::dense::Part;
use super::gemm::{Finish, MAX_TILE};

/// A tile of what one thread computes of a dense layer.
struct Tile<'a> {
    row: usize,
    rows: usize,
    column: usize,
    columns: usize,
    c: &'a mut [f32],
    /// Numbers from one row of `c` to the next.
    c_stride: usize,
}

impl Part<'_> {
    /// Cuts into tiles of these heights, the largest first, by `width` columns. `product` fills whole tiles, `finish`
    /// does the rest where there are columns.
    fn in_tiles(
        self,
        heights: &[usize],
        width: usize,
        mut product: impl FnMut(Tile),
        mut finish: impl FnMut(&Finish, Tile),
    ) {
        let c_stride = self.width;
        // A tile that is wider than what is left.
        let mut edge = [0.0; MAX_TILE];
        for column in (0..self.width).step_by(width) {
            let columns = width.min(self.width - column);
            let end = self.out.len() / self.width;
            let mut row = 0;
            while row < end {
                let rows = heights.iter().copied().find(|height| *height <= end - row).unwrap_or(1);
                let c = &mut self.out[row * c_stride + column..];
                if columns == width {
                    product(Tile { row, rows, column, columns, c: &mut *c, c_stride });
                } else {
                    product(Tile { row, rows, column, columns: width, c: &mut edge, c_stride: width });
                    for (c, from) in c.chunks_mut(c_stride).zip(edge.chunks_exact(width).take(rows)) {
                        c[..columns].copy_from_slice(&from[..columns]);
                    }
                }
                finish(&self.finish, Tile { row, rows, column, columns, c, c_stride });
                row += rows;
            }
        }
    }
}
