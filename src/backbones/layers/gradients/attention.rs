//! Attention inside each sequence.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::{like, slice, with};
use crate::kernels::{self, AttentionShape, Heads, Mask};

/// Attention over queries, keys and values side by side, `(tokens, 3 * hidden)` to `(tokens, hidden)`, where a mask may
/// leave out weights of keys.
pub(in crate::backbones::layers) fn attention(
    query_key_value: &Tensor,
    shape: &AttentionShape,
    mask: Option<Mask>,
    threads: usize,
) -> Result<Tensor> {
    let AttentionShape { bounds, heads, head_dim, scale, window, causal, .. } = *shape;
    let bounds = bounds.to_vec();
    query_key_value.contiguous()?.apply_op1(Attention { bounds, heads, head_dim, scale, window, causal, mask, threads })
}

/// An [`AttentionShape`] that lives as long as the graph.
struct Attention {
    bounds: Vec<usize>,
    heads: usize,
    head_dim: usize,
    scale: f32,
    window: Option<usize>,
    causal: bool,
    mask: Option<Mask>,
    threads: usize,
}

impl Attention {
    fn shape(&self) -> AttentionShape<'_> {
        AttentionShape {
            bounds: &self.bounds,
            heads: self.heads,
            head_dim: self.head_dim,
            scale: self.scale,
            window: self.window,
            causal: self.causal,
            read: None,
            precision: kernels::Precision::F32,
        }
    }

    fn heads<'a>(&self, query_key_value: &'a [f32]) -> Heads<'a> {
        Heads { query_key_value, mask: self.mask }
    }
}

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, query_key_value: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (tokens, width) = layout.shape().dims2()?;
        let mut out = vec![0.0; tokens * width / 3];
        let heads = self.heads(slice(query_key_value, layout)?);
        kernels::attention_learning(heads, &self.shape(), &mut out, self.threads);
        Ok((CpuStorage::F32(out), (tokens, width / 3).into()))
    }

    fn bwd(&self, query_key_value: &Tensor, out: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let mut to = vec![0.0; query_key_value.elem_count()];
        let mut back = |input: &[f32], out: &[f32], gradient: &[f32]| {
            kernels::attention_gradient(self.heads(input), &self.shape(), out, gradient, &mut to, self.threads);
        };
        with(query_key_value, |input| with(out, |out| with(gradient, |gradient| back(input, out, gradient))))???;
        like(query_key_value, to).map(Some)
    }
}
