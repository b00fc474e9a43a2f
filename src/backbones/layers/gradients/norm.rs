//! Norms of rows.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::{copy, like, slice, threads, with};
use crate::kernels;

/// Layer norm of the rows of `x` by `weight` and `bias`.
pub(in crate::backbones::layers) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
    x.contiguous()?.apply_op3(weight, bias, LayerNorm { eps })
}

/// Norm of the rows of `x` by the root of the mean square.
pub(in crate::backbones::layers) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    x.contiguous()?.apply_op2(weight, RmsNorm { eps })
}

struct LayerNorm {
    eps: f32,
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight, bias) = (slice(x, x_layout)?, slice(weight, weight_layout)?, slice(bias, bias_layout)?);
        let mut out = vec![0.0; x.len()];
        kernels::layer_norm(x, weight, Some(bias), self.eps, &mut out, threads());
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let mut gradient = copy(gradient)?;
        let of_values = |x: &[f32], weight: &[f32], gradient: &mut [f32]| {
            kernels::layer_norm_gradient(x, weight, self.eps, gradient, threads())
        };
        let (of_weight, of_bias) = with(x, |x| with(weight, |weight| of_values(x, weight, &mut gradient)))??;
        Ok((
            Some(like(x, gradient)?),
            weight.track_op().then(|| like(weight, of_weight)).transpose()?,
            bias.track_op().then(|| like(bias, of_bias)).transpose()?,
        ))
    }
}

struct RmsNorm {
    eps: f32,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight) = (slice(x, x_layout)?, slice(weight, weight_layout)?);
        let mut out = vec![0.0; x.len()];
        kernels::rms_norm(x, weight, self.eps, &mut out, threads());
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let mut gradient = copy(gradient)?;
        let of_values = |x: &[f32], weight: &[f32], gradient: &mut [f32]| {
            kernels::rms_norm_gradient(x, weight, self.eps, gradient, threads())
        };
        let of_weight = with(x, |x| with(weight, |weight| of_values(x, weight, &mut gradient)))??;
        Ok((Some(like(x, gradient)?), weight.track_op().then(|| like(weight, of_weight)).transpose()?))
    }
}
