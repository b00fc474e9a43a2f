//! Kernels for x86-64 processors.

mod amx;
mod avx2;
mod avx512;
mod bf16;
mod blocks;
mod factors;
mod integer_tile;
mod integers;
mod pairs;
mod tiles;

pub(super) use amx::Amx;
pub(super) use avx2::Avx2;
pub(super) use avx512::Avx512;
pub(super) use bf16::Bf16;
pub(super) use blocks::Blocks;
pub(super) use integers::Unit;
pub(super) use pairs::Pairs;
pub(super) use tiles::Tiles;

use std::ops::Range;

use super::gemm::{Finish, Lines, LinesMut, MAX_TILE, tile_height};
use super::part::Part;
use super::simd::{Kernel, Simd};

/// A tile of what one thread computes of a dense layer.
struct Tile<'a> {
    rows: Range<usize>,
    /// The first column.
    column: usize,
    c: LinesMut<'a>,
}

impl Part<'_> {
    /// Cuts into tiles of at most `largest` rows by `width` columns, which `product` fills whole.
    fn in_tiles<S: Simd>(self, s: S, largest: usize, width: usize, mut product: impl FnMut(Tile)) {
        let (end, finish) = (self.rows(), self.finish);
        let mut out = LinesMut { numbers: self.out, stride: self.out_width };
        let mut products = [0.0; MAX_TILE];
        for column in (0..self.width).step_by(width) {
            let columns = column..self.width.min(column + width);
            let mut row = 0;
            while row < end {
                let height = tile_height(end - row, largest);
                let rows = row..row + height;
                let c = out.from(row, finish.column(column));
                if columns.len() == width && finish.is_none() {
                    product(Tile { rows, column, c });
                } else {
                    let tile = LinesMut { numbers: &mut products, stride: width };
                    product(Tile { rows: rows.clone(), column, c: tile });
                    let products = Lines { numbers: &products, stride: width };
                    s.run(Write { finish, products, rows, columns: columns.clone(), c });
                }
                row += height;
            }
        }
    }
}

/// [`Finish::write`].
struct Write<'a> {
    finish: Finish<'a>,
    products: Lines<'a>,
    rows: Range<usize>,
    columns: Range<usize>,
    c: LinesMut<'a>,
}

impl Kernel for Write<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        self.finish.write(s, self.products, [self.rows, self.columns], self.c);
    }
}
