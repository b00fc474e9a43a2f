//! What one thread computes of a dense layer.

use super::gemm::Finish;

/// What one thread computes of a dense layer.
pub(super) struct Part<'a> {
    /// `(rows, depth)`.
    pub x: &'a [f32],
    pub depth: usize,
    /// The first column, at the start of a panel.
    pub column: usize,
    /// How many columns of the product.
    pub width: usize,
    /// Its bias and residual begin with this part's.
    pub finish: Finish<'a>,
    /// `(rows, out_width)`.
    pub out: &'a mut [f32],
    /// How many columns of the result.
    pub out_width: usize,
}

impl Part<'_> {
    pub(super) fn rows(&self) -> usize {
        self.out.len() / self.out_width
    }

    /// Cuts into parts of whole tiles, `tile` rows high, whose input of `row` numbers each stays within `cached` numbers.
    pub(super) fn in_blocks(self, cached: usize, row: usize, tile: usize, mut work: impl FnMut(Part)) {
        let rows = (cached / row.max(1)).max(1).next_multiple_of(tile);
        let Part { x, depth, column, width, finish, out, out_width } = self;
        for (i, out) in out.chunks_mut(rows * out_width).enumerate() {
            let x = &x[i * rows * depth..][..out.len() / out_width * depth];
            work(Part { x, depth, column, width, finish: finish.starting_at(i * rows, 0), out, out_width });
        }
    }
}
