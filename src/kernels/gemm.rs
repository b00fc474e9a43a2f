//! Matrix products in f32.
//!
//! Every element of a product is one chain of multiply-adds over the inner dimension, in order,
//! whatever the tile it falls in: this is what makes a row independent of the other rows.

use std::ops::Range;

use super::Activation;
use super::math::activated;
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
}

impl Kernel for Product<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (width, mut c) = (2 * S::LANES, self.c);
        let mut products = [0.0; MAX_TILE];
        for column in (0..self.columns).step_by(width) {
            let panel = &self.panels[column * self.panel_depth..][..self.depth * width];
            let end = self.columns.min(column + width);
            let mut row = 0;
            while row < self.rows {
                let a = self.a.from(row);
                let c = c.from(row, self.finish.column(column));
                let rows = tile_height(self.rows - row, S::TILE_ROWS);
                if end - column == width && self.finish.is_none() {
                    tiles(s, rows, a, panel, c);
                } else {
                    tiles(s, rows, a, panel, LinesMut { numbers: &mut products, stride: width });
                    let products = Lines { numbers: &products, stride: width };
                    self.finish.write(s, products, [row..row + rows, column..end], c);
                }
                row += rows;
            }
        }
    }
}

/// Numbers in the largest tile of any instruction set.
pub(super) const MAX_TILE: usize = 14 * 32;

/// The height of the next tile of a product that has so many rows left.
///
/// Each sum of a tile waits for the one before, so that a low tile takes as long as one of several rows: a few rows
/// more than a tile holds are cut in halves, not into a whole tile and a low one.
pub(super) fn tile_height(rows: usize, largest: usize) -> usize {
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

/// [`tile`] of a height from [`tile_height`].
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

impl Finish<'_> {
    /// Whether the product stays as it is.
    pub(super) fn is_none(&self) -> bool {
        self.bias.is_none() && self.residual.is_none() && self.activation == Activation::None && !self.gated
    }

    /// Writes what becomes of a tile of products to `c`, which starts at the first of `rows` and of `columns`.
    ///
    /// The products are not in `c` before: rows of a result are often a multiple of 4 KiB apart, and a processor takes
    /// a load for one of what was just stored where only the last 12 bits of the addresses are the same.
    #[inline(always)]
    pub(super) fn write<S: Simd>(&self, s: S, products: Lines, part: [Range<usize>; 2], c: LinesMut) {
        // Loops of their own for what is common: the choice is made once.
        match self.activation {
            Activation::Gelu if self.gated => self.write_gated(s, Activation::Gelu, products, part, c),
            Activation::Silu if self.gated => self.write_gated(s, Activation::Silu, products, part, c),
            other if self.gated => self.write_gated(s, other, products, part, c),
            Activation::None => self.write_activated(s, Activation::None, products, part, c),
            Activation::Gelu => self.write_activated(s, Activation::Gelu, products, part, c),
            other => self.write_activated(s, other, products, part, c),
        }
    }

    #[inline(always)]
    fn write_activated<S: Simd>(
        &self,
        s: S,
        activation: Activation,
        products: Lines,
        [rows, columns]: [Range<usize>; 2],
        c: LinesMut,
    ) {
        let lines = products.numbers.chunks_exact(products.stride).zip(c.numbers.chunks_mut(c.stride));
        for (row, (products, c)) in rows.zip(lines) {
            for (at, c) in (0..).step_by(S::LANES).zip(c[..columns.len()].chunks_mut(S::LANES)) {
                let mut x = s.load(&products[at..]);
                if let Some(bias) = self.bias {
                    x = s.add(x, s.load_some(&bias[columns.start + at..][..c.len()]));
                }
                x = activated(s, activation, x);
                if let Some(residual) = self.residual {
                    let residual = &residual[row * self.residual_stride + columns.start + at..][..c.len()];
                    x = s.add(x, s.load_some(residual));
                }
                s.store_some(x, c);
            }
        }
    }

    /// The panels of gated products are always whole, but their last columns may be of no use.
    #[inline(always)]
    fn write_gated<S: Simd>(
        &self,
        s: S,
        activation: Activation,
        products: Lines,
        [rows, columns]: [Range<usize>; 2],
        c: LinesMut,
    ) {
        let width = S::LANES.min(c.stride - columns.start / 2);
        let bias = self.bias.map(|bias| {
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
