//! Rows of a table.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::{like, slice, with};

/// The rows of `table` `(any number, width)` at these places: `(rows, width)`.
pub(in crate::backbones::layers) fn gather(table: &Tensor, rows: Vec<u32>) -> Result<Tensor> {
    table.contiguous()?.apply_op1(Gather { rows })
}

struct Gather {
    rows: Vec<u32>,
}

impl CustomOp1 for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn cpu_fwd(&self, table: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let table = slice(table, layout)?;
        let mut out = Vec::with_capacity(self.rows.len() * width);
        for &row in &self.rows {
            out.extend_from_slice(&table[row as usize * width..][..width]);
        }
        Ok((CpuStorage::F32(out), (self.rows.len(), width).into()))
    }

    fn bwd(&self, table: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (_, width) = table.dims2()?;
        let mut out = vec![0.0; table.elem_count()];
        with(gradient, |gradient| {
            for (&row, gradient) in self.rows.iter().zip(gradient.chunks_exact(width)) {
                out[row as usize * width..][..width].iter_mut().zip(gradient).for_each(|(out, x)| *out += x);
            }
        })?;
        like(table, out).map(Some)
    }
}
