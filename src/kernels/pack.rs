//! Matrices laid out in panels: `width` columns side by side, one line of them for each step of the
//! inner dimension, so that a product reads memory strictly forward. The last panel is filled with 0.

use super::isa::{Isa, current};

/// The weights of a dense layer, laid out for the kernels once at load.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    data: Vec<f32>,
    /// Where the panels start: on a cache line.
    start: usize,
    isa: Isa,
    out_features: usize,
    in_features: usize,
}

impl PackedMatrix {
    /// Packs `weight (out_features, in_features)`, row-major.
    pub fn new(weight: &[f32], out_features: usize, in_features: usize) -> Self {
        assert_eq!(weight.len(), out_features * in_features, "shape of a weight");
        Self::strided(current(), weight, in_features, out_features, in_features)
    }

    /// Packs rows that are `stride` apart, for an instruction set.
    pub(super) fn strided(isa: Isa, rows: &[f32], stride: usize, out_features: usize, in_features: usize) -> Self {
        const LINE: usize = 64;
        let size = packed_size(out_features, in_features, isa.panel());
        let mut data = vec![0.0; size + LINE / size_of::<f32>()];
        let start = data.as_ptr().align_offset(LINE).min(LINE / size_of::<f32>());
        pack_rows(rows, stride, out_features, in_features, isa.panel(), &mut data[start..start + size]);
        Self { data, start, isa, out_features, in_features }
    }

    /// Columns of the result.
    pub fn out_features(&self) -> usize {
        self.out_features
    }

    /// Columns of the input.
    pub fn in_features(&self) -> usize {
        self.in_features
    }

    /// The instruction set the layout is made for.
    pub(super) fn isa(&self) -> Isa {
        self.isa
    }

    pub(super) fn panels(&self) -> &[f32] {
        &self.data[self.start..]
    }
}

/// Numbers in the panels of `columns` columns.
pub(super) fn packed_size(columns: usize, depth: usize, width: usize) -> usize {
    columns.next_multiple_of(width) * depth
}

/// Panels whose column `c` is the row `c` of `rows`, `stride` apart.
pub(super) fn pack_rows(rows: &[f32], stride: usize, columns: usize, depth: usize, width: usize, to: &mut [f32]) {
    if depth == 0 {
        return;
    }
    for (p, panel) in to.chunks_exact_mut(depth * width).enumerate() {
        let first = p * width;
        let count = width.min(columns - first);
        panel.chunks_exact_mut(width).for_each(|line| line[count..].fill(0.0));
        for c in 0..count {
            let row = &rows[(first + c) * stride..][..depth];
            for (line, x) in panel.chunks_exact_mut(width).zip(row) {
                line[c] = *x;
            }
        }
    }
}

/// Panels whose line `k` is taken from the row `k` of `rows`, `stride` apart.
pub(super) fn pack_columns(rows: &[f32], stride: usize, columns: usize, depth: usize, width: usize, to: &mut [f32]) {
    if depth == 0 {
        return;
    }
    for (p, panel) in to.chunks_exact_mut(depth * width).enumerate() {
        let first = p * width;
        let count = width.min(columns - first);
        for (k, line) in panel.chunks_exact_mut(width).enumerate() {
            line[..count].copy_from_slice(&rows[k * stride + first..][..count]);
            line[count..].fill(0.0);
        }
    }
}
