//! Dense layers.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::{copy, like, slice, with};
use crate::kernels::{self, Activation, PackedMatrix, Precision};

/// `activation(x W^T + b)` of `x` `(rows, inputs)`, `weight` `(outputs, inputs)` and `bias` `(outputs)`.
pub(in crate::backbones::layers) fn dense(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    activation: Activation,
    threads: usize,
) -> Result<Tensor> {
    let zeros = || Tensor::zeros(weight.dim(0)?, weight.dtype(), weight.device());
    let bias = bias.cloned().map_or_else(zeros, Ok)?;
    let dense = Dense { activation, threads, product: Mutex::default() };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, dense)
}

struct Dense {
    activation: Activation,
    threads: usize,
    /// What the activation was given, for the way back.
    product: Mutex<Vec<f32>>,
}

impl CustomOp3 for Dense {
    fn name(&self) -> &'static str {
        "dense"
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
        let Self { activation, threads, .. } = *self;
        let (rows, inputs) = x_layout.shape().dims2()?;
        let (outputs, _) = weight_layout.shape().dims2()?;
        let weight = PackedMatrix::new(slice(weight, weight_layout)?, outputs, inputs, Precision::F32);
        let (x, bias) = (slice(x, x_layout)?, slice(bias, bias_layout)?);
        let mut out = vec![0.0; rows * outputs];
        kernels::linear(x, rows, &weight, Some(bias), Activation::None, None, &mut out, threads);
        if activation != Activation::None {
            *self.product.lock().unwrap_or_else(PoisonError::into_inner) = out.clone();
            kernels::activate(&mut out, activation, threads);
        }
        Ok((CpuStorage::F32(out), (rows, outputs).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Self { activation, threads, .. } = *self;
        let ((rows, inputs), (outputs, _)) = (x.dims2()?, weight.dims2()?);
        let mut gradient = copy(gradient)?;
        if activation != Activation::None {
            // Given back at once: it is as large as all that the layer keeps.
            let product = std::mem::take(&mut *self.product.lock().unwrap_or_else(PoisonError::into_inner));
            if product.len() != gradient.len() {
                return Err(candle_core::Error::Msg("a second way back through one graph: this is a bug".into()));
            }
            kernels::activation_gradient(&product, activation, &mut gradient, threads);
        }
        let of_x = || {
            let weight = with(weight, |weight| PackedMatrix::of_lines(weight, inputs, outputs, threads))?;
            let mut out = vec![0.0; rows * inputs];
            kernels::linear(&gradient, rows, &weight, None, Activation::None, None, &mut out, threads);
            like(x, out)
        };
        let of_weight = || {
            let mut out = vec![0.0; outputs * inputs];
            with(x, |x| kernels::transposed_product(&gradient, x, rows, &mut out, threads))?;
            like(weight, out)
        };
        Ok((
            x.track_op().then(of_x).transpose()?,
            weight.track_op().then(of_weight).transpose()?,
            bias.track_op().then(|| like(bias, kernels::column_sums(&gradient, outputs, threads))).transpose()?,
        ))
    }
}
