//! Matrix products in f32.
//!
//! Every element of a product is one chain of multiply-adds over the inner dimension, in order,
//! whatever the tile it falls in: this is what makes a row independent of the other rows.

use std::iter;
use std::ops::Range;

use super::Activation;
use super::math::activated;
use super::memory::fetch;
use super::simd::{Kernel, Simd};

/// Rows of a matrix.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a, T = f32> {
    pub numbers: &'a [T],
    /// Numbers from one row to the next.
    pub stride: usize,
}

impl<'a, T> Lines<'a, T> {
    /// The rows from this one on.
    #[inline(always)]
    pub fn from(self, row: usize) -> Self {
        Self { numbers: &self.numbers[row * self.stride..], ..self }
    }

    /// The first numbers of a row.
    #[inline(always)]
    pub fn row(self, row: usize, length: usize) -> &'a [T] {
        &self.numbers[row * self.stride..][..length]
    }
}

/// Rows of a matrix that are written.
pub(super) struct LinesMut<'a> {
    pub numbers: &'a mut [f32],
    /// Numbers from one row to the next.
    pub stride: usize,
}

impl LinesMut<'_> {
    /// The rows and columns from these on.
    #[inline(always)]
    pub fn from(&mut self, row: usize, column: usize) -> LinesMut<'_> {
        LinesMut { numbers: &mut self.numbers[row * self.stride + column..], stride: self.stride }
    }
}

/// `c (rows, columns) = a (rows, depth) * panels`, then [`Finish`].
pub(super) struct Product<'a, T = f32> {
    pub a: Lines<'a, T>,
    pub rows: usize,
    pub depth: usize,
    /// The packed right side; its first panel meets column 0 of `c`.
    pub panels: &'a [T],
    /// Lines from one panel to the next.
    pub panel_depth: usize,
    pub columns: usize,
    pub c: LinesMut<'a>,
    pub finish: Finish<'a>,
}

/// What is done to a product: `activation(c + bias) + residual`; where it is gated, `activation(c + bias) * (d + bias)`
/// for the two halves `c` and `d` of each panel, which make half as many columns.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    pub bias: Option<&'a [f32]>,
    pub activation: Activation,
    pub gated: bool,
    pub residual: Option<&'a [f32]>,
    pub residual_stride: usize,
}

impl Finish<'_> {
    /// The product as it is.
    pub const NONE: Self =
        Finish { bias: None, activation: Activation::None, gated: false, residual: None, residual_stride: 0 };

    /// The same for a part of the product that begins at this row and column.
    pub fn starting_at(self, row: usize, column: usize) -> Self {
        Self {
            bias: self.bias.map(|bias| &bias[column..]),
            residual: self.residual.map(|residual| &residual[row * self.residual_stride + column..]),
            ..self
        }
    }

    /// The column of the result that the panel from this column of the product on begins with.
    pub fn column(&self, of_product: usize) -> usize {
        if self.gated { of_product / 2 } else { of_product }
    }

    /// Asks for what a tile will be added to, while its products are computed.
    #[inline(always)]
    fn fetch_residual(&self, tile: &Tile) {
        let Some(residual) = self.residual else { return };
        for row in tile.rows.clone() {
            fetch(&residual[row * self.residual_stride..][tile.columns.clone()]);
        }
    }

    /// Whether the product stays as it is.
    fn is_none(&self) -> bool {
        self.bias.is_none() && self.residual.is_none() && self.activation == Activation::None && !self.gated
    }
}

impl Kernel for Product<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { a, rows, depth, panels, panel_depth, columns, c, finish } = self;
        let width = 2 * S::LANES;
        let mut products = [0.0; MAX_TILE];
        let mut out = Output { finish, c, width, products: &mut products };
        for tile in Tile::all([rows, columns], [S::TILE_ROWS, width]) {
            let panel = &panels[tile.columns.start * panel_depth..][..depth * width];
            tiles(s, tile.rows.len(), a.from(tile.rows.start), panel, out.room(&tile));
            if let Some(write) = out.rest(tile) {
                write.run(s);
            }
        }
    }
}

/// Some rows of a panel of a product.
pub(super) struct Tile {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl Tile {
    /// The tiles of a product of so many rows and columns, panel by panel, each with at most `largest` rows and `width`
    /// columns.
    #[inline(always)]
    pub fn all([rows, columns]: [usize; 2], [largest, width]: [usize; 2]) -> impl Iterator<Item = Self> {
        let panels = (0..columns).step_by(width).map(move |start| start..columns.min(start + width));
        panels.flat_map(move |columns| {
            let mut end = 0;
            let heights = iter::repeat_with(move || {
                let start = end;
                end += tile_height(rows - start, largest);
                start..end
            });
            heights.take_while(|rows| !rows.is_empty()).map(move |rows| Self { rows, columns: columns.clone() })
        })
    }
}

/// The result of a product, tile by tile.
pub(super) struct Output<'a> {
    pub finish: Finish<'a>,
    pub c: LinesMut<'a>,
    /// Columns of a tile.
    pub width: usize,
    /// Room for a tile that cannot go to its place as it is.
    ///
    /// What is to be changed is not stored in its place before: rows of a result are often a multiple of 4 KiB apart,
    /// and a processor takes a load for one of what was just stored where only the last 12 bits of the addresses are
    /// the same.
    pub products: &'a mut [f32; MAX_TILE],
}

impl Output<'_> {
    /// Where the products of a tile go: all its columns, even where the result has fewer.
    #[inline(always)]
    pub fn room(&mut self, tile: &Tile) -> LinesMut<'_> {
        if self.is_apart(tile) {
            self.finish.fetch_residual(tile);
            LinesMut { numbers: self.products, stride: self.width }
        } else {
            self.c.from(tile.rows.start, tile.columns.start)
        }
    }

    /// What is left to do once they are there.
    #[inline(always)]
    pub fn rest(&mut self, tile: Tile) -> Option<Write<'_>> {
        if !self.is_apart(&tile) {
            return None;
        }
        let products = Lines { numbers: &*self.products, stride: self.width };
        let c = self.c.from(tile.rows.start, self.finish.column(tile.columns.start));
        Some(Write { finish: self.finish, products, tile, c })
    }

    #[inline(always)]
    fn is_apart(&self, tile: &Tile) -> bool {
        tile.columns.len() < self.width || !self.finish.is_none()
    }
}

/// Numbers in the largest tile of any instruction set.
pub(super) const MAX_TILE: usize = 14 * 32;

/// The height of the next tile of a product that has so many rows left.
///
/// Each sum of a tile waits for the one before, so that a low tile takes as long as one of several rows: a few rows
/// more than a tile holds are cut in halves, not into a whole tile and a low one.
fn tile_height(rows: usize, largest: usize) -> usize {
    if rows <= largest {
        rows
    } else if rows < 2 * largest {
        rows.div_ceil(2)
    } else {
        largest
    }
}

/// Does one thing with a height of a tile, at most `$largest`, as a constant.
macro_rules! with_height {
    ($height:expr, $largest:expr, $constant:ident => $body:expr) => {
        with_height!($height, $largest, $constant => $body; 14 13 12 11 10 9 8 7 6 5 4 3 2)
    };
    ($height:expr, $largest:expr, $constant:ident => $body:expr; $($rows:literal)*) => {
        match $height {
            $($rows if $rows <= $largest => {
                const $constant: usize = $rows;
                $body
            })*
            _ => {
                const $constant: usize = 1;
                $body
            }
        }
    };
}
pub(super) use with_height;

/// [`tile`] of a height.
#[inline(always)]
fn tiles<S: Simd>(s: S, rows: usize, a: Lines, panel: &[f32], c: LinesMut) {
    with_height!(rows, S::TILE_ROWS, ROWS => tile::<S, ROWS>(s, a, panel, c));
}

/// `ROWS` rows by one panel. Every index into `sums` is a constant once the loops are unrolled, so
/// that the sums stay in registers.
#[inline(always)]
fn tile<S: Simd, const ROWS: usize>(s: S, a: Lines, panel: &[f32], c: LinesMut) {
    let width = 2 * S::LANES;
    let depth = panel.len() / width;
    let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
    for (r, row) in rows.iter_mut().enumerate() {
        *row = a.row(r, depth);
    }
    let mut sums = [[s.splat(0.0); 2]; ROWS];
    for (k, line) in panel.chunks_exact(width).enumerate() {
        let b = [s.load(&line[..S::LANES]), s.load(&line[S::LANES..])];
        for r in 0..ROWS {
            let a = s.splat(rows[r][k]);
            sums[r][0] = s.mul_add(a, b[0], sums[r][0]);
            sums[r][1] = s.mul_add(a, b[1], sums[r][1]);
        }
    }
    let LinesMut { numbers: c, stride } = c;
    for r in 0..ROWS {
        let to = &mut c[r * stride..][..width];
        s.store(sums[r][0], &mut to[..S::LANES]);
        s.store(sums[r][1], &mut to[S::LANES..]);
    }
}

/// Writes what becomes of a tile of products to `c`, which starts with the tile.
pub(super) struct Write<'a> {
    pub finish: Finish<'a>,
    pub products: Lines<'a>,
    pub tile: Tile,
    pub c: LinesMut<'a>,
}

impl Kernel for Write<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // Loops of their own for what is common: the choice is made once.
        match self.finish.activation {
            Activation::Gelu if self.finish.gated => self.gated(s, Activation::Gelu),
            Activation::Silu if self.finish.gated => self.gated(s, Activation::Silu),
            other if self.finish.gated => self.gated(s, other),
            Activation::None => self.activated(s, Activation::None),
            Activation::Gelu => self.activated(s, Activation::Gelu),
            other => self.activated(s, other),
        }
    }
}

impl Write<'_> {
    #[inline(always)]
    fn activated<S: Simd>(mut self, s: S, activation: Activation) {
        for first in self.tile.columns.clone().step_by(2 * S::LANES) {
            let end = self.tile.columns.end.min(first + 2 * S::LANES);
            self.two_vectors(s, activation, first..end);
        }
    }

    /// Some columns of the tile, at most two vectors: what is the same for all rows is done once.
    #[inline(always)]
    fn two_vectors<S: Simd>(&mut self, s: S, activation: Activation, columns: Range<usize>) {
        let Finish { bias, residual, residual_stride, .. } = self.finish;
        let (first, middle) = (columns.start - self.tile.columns.start, S::LANES.min(columns.len()));
        let bias = bias.map(|bias| {
            let (left, right) = bias[columns.clone()].split_at(middle);
            [s.load_some(left), s.load_some(right)]
        });
        let products = self.products.numbers.chunks_exact(self.products.stride);
        let lines = products.zip(self.c.numbers.chunks_mut(self.c.stride));
        for (row, (products, c)) in self.tile.rows.clone().zip(lines) {
            let residual = residual.map(|numbers| {
                let (left, right) = numbers[row * residual_stride..][columns.clone()].split_at(middle);
                [left, right]
            });
            let (left, right) = c[first..][..columns.len()].split_at_mut(middle);
            for (half, c) in [left, right].into_iter().enumerate() {
                let mut x = s.load(&products[first + half * S::LANES..]);
                if let Some(bias) = bias {
                    x = s.add(x, bias[half]);
                }
                x = activated(s, activation, x);
                if let Some(residual) = residual {
                    x = s.add(x, s.load_some(residual[half]));
                }
                s.store_some(x, c);
            }
        }
    }

    /// The panels of gated products are always whole, but their last columns may be of no use.
    #[inline(always)]
    fn gated<S: Simd>(self, s: S, activation: Activation) {
        let Self { finish, products, tile: Tile { rows, columns }, c } = self;
        let width = S::LANES.min(c.stride - columns.start / 2);
        let bias = finish.bias.map(|bias| {
            let (gate, value) = bias[columns].split_at(S::LANES);
            [s.load(gate), s.load(value)]
        });
        let lines = products.numbers.chunks_exact(products.stride).zip(c.numbers.chunks_mut(c.stride));
        for (_, (products, c)) in rows.zip(lines) {
            let (gate, value) = products.split_at(S::LANES);
            let (mut gate, mut value) = (s.load(gate), s.load(value));
            if let Some(bias) = bias {
                (gate, value) = (s.add(gate, bias[0]), s.add(value, bias[1]));
            }
            s.store_some(s.mul(activated(s, activation, gate), value), &mut c[..width]);
        }
    }
}
