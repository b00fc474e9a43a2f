//! Matrix products in f32.
//!
//! Every element of a product is one chain of multiply-adds over the inner dimension, in order,
//! whatever the tile it falls in: this is what makes a row independent of the other rows.

use super::Activation;
use super::math::activated;
use super::simd::{Kernel, Simd};

/// `c (rows, columns) = a (rows, depth) * panels`, then [`Finish`].
pub(super) struct Product<'a, T = f32> {
    pub a: &'a [T],
    /// Numbers from one row of `a` to the next.
    pub a_stride: usize,
    pub rows: usize,
    pub depth: usize,
    /// The packed right side; its first panel meets column 0 of `c`.
    pub panels: &'a [T],
    /// Lines from one panel to the next.
    pub panel_depth: usize,
    pub columns: usize,
    pub c: &'a mut [f32],
    /// Numbers from one row of `c` to the next.
    pub c_stride: usize,
    pub finish: Finish<'a>,
}

/// What is done to a product: `activation(c + bias) + residual`.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    pub bias: Option<&'a [f32]>,
    pub activation: Activation,
    pub residual: Option<&'a [f32]>,
    pub residual_stride: usize,
}

impl Finish<'_> {
    /// The product as it is.
    pub const NONE: Self = Finish { bias: None, activation: Activation::None, residual: None, residual_stride: 0 };

    /// The same for a part of the product that begins at this row and column.
    pub fn starting_at(self, row: usize, column: usize) -> Self {
        Self {
            bias: self.bias.map(|bias| &bias[column..]),
            residual: self.residual.map(|residual| &residual[row * self.residual_stride + column..]),
            ..self
        }
    }
}

impl Kernel for Product<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = 2 * S::LANES;
        // A tile that is wider than what is left of `c`.
        let mut edge = [0.0; MAX_TILE];
        for column in (0..self.columns).step_by(width) {
            let panel = &self.panels[column * self.panel_depth..][..self.depth * width];
            let count = width.min(self.columns - column);
            let mut row = 0;
            while row < self.rows {
                let a = &self.a[row * self.a_stride..];
                let c = &mut self.c[row * self.c_stride + column..];
                let rows = largest_tile::<S>(self.rows - row);
                if count == width {
                    tiles(s, rows, a, self.a_stride, panel, c, self.c_stride);
                } else {
                    tiles(s, rows, a, self.a_stride, panel, &mut edge, width);
                    for (r, from) in edge.chunks_exact(width).take(rows).enumerate() {
                        c[r * self.c_stride..][..count].copy_from_slice(&from[..count]);
                    }
                }
                self.finish.apply(s, row..row + rows, column, count, c, self.c_stride);
                row += rows;
            }
        }
    }
}

/// Numbers in the largest tile of any instruction set.
pub(super) const MAX_TILE: usize = 14 * 32;

/// The heights of tiles there are.
#[inline(always)]
fn largest_tile<S: Simd>(rows: usize) -> usize {
    [14, 12, 6, 4, 2].into_iter().find(|size| *size <= rows.min(S::TILE_ROWS)).unwrap_or(1)
}

/// [`tile`] of a height from [`largest_tile`].
#[inline(always)]
fn tiles<S: Simd>(s: S, rows: usize, a: &[f32], a_stride: usize, panel: &[f32], c: &mut [f32], c_stride: usize) {
    match rows {
        14 if S::TILE_ROWS >= 14 => tile::<S, 14>(s, a, a_stride, panel, c, c_stride),
        12 if S::TILE_ROWS >= 12 => tile::<S, 12>(s, a, a_stride, panel, c, c_stride),
        6 => tile::<S, 6>(s, a, a_stride, panel, c, c_stride),
        4 => tile::<S, 4>(s, a, a_stride, panel, c, c_stride),
        2 => tile::<S, 2>(s, a, a_stride, panel, c, c_stride),
        _ => tile::<S, 1>(s, a, a_stride, panel, c, c_stride),
    }
}

/// `ROWS` rows by one panel. Every index into `sums` is a constant once the loops are unrolled, so
/// that the sums stay in registers.
#[inline(always)]
fn tile<S: Simd, const ROWS: usize>(s: S, a: &[f32], a_stride: usize, panel: &[f32], c: &mut [f32], c_stride: usize) {
    let width = 2 * S::LANES;
    let depth = panel.len() / width;
    let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
    for (r, row) in rows.iter_mut().enumerate() {
        *row = &a[r * a_stride..][..depth];
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
    for r in 0..ROWS {
        let to = &mut c[r * c_stride..][..width];
        s.store(sums[r][0], &mut to[..S::LANES]);
        s.store(sums[r][1], &mut to[S::LANES..]);
    }
}

impl Finish<'_> {
    /// `c` starts at the first of `rows`, at `column`; `count` columns are done.
    #[inline(always)]
    pub(super) fn apply<S: Simd>(
        &self,
        s: S,
        rows: std::ops::Range<usize>,
        column: usize,
        count: usize,
        c: &mut [f32],
        c_stride: usize,
    ) {
        if self.bias.is_none() && self.activation == Activation::None && self.residual.is_none() {
            return;
        }
        for (i, row) in rows.enumerate() {
            let c = &mut c[i * c_stride..][..count];
            let residual = self.residual.map(|r| &r[row * self.residual_stride + column..][..count]);
            for (at, c) in (0..count).step_by(S::LANES).zip(c.chunks_mut(S::LANES)) {
                let mut x = s.load_some(c);
                if let Some(bias) = self.bias {
                    x = s.add(x, s.load_some(&bias[column + at..][..c.len()]));
                }
                x = activated(s, self.activation, x);
                if let Some(residual) = residual {
                    x = s.add(x, s.load_some(&residual[at..][..c.len()]));
                }
                s.store_some(x, c);
            }
        }
    }
}
