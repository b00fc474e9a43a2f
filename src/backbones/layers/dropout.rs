//! Leaving out a share of the elements while a model learns.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor};

use crate::checkpoint::Weights;
use crate::checkpoint::learning::Noise;
use crate::error::Result;
use crate::kernels::Mask;

/// Leaves out a share of the elements, others each time; none where the model does not learn.
#[derive(Debug, Clone, Default)]
pub struct Dropout {
    rate: f32,
    noise: Option<Arc<Noise>>,
}

impl Dropout {
    /// Leaves out the share `rate` beside layers with these weights.
    pub fn new(weights: &Weights, rate: f32) -> Self {
        Self { rate, noise: weights.noise().filter(|_| rate > 0.0).cloned() }
    }

    /// The key of the next mask; none where nothing is left out now.
    fn draw(&self) -> Option<u64> {
        self.noise.as_ref()?.draw()
    }

    /// `x` of any shape, some of it 0 and the rest raised.
    ///
    /// # Errors
    /// The device has no room.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Some(key) = self.draw() else { return Ok(x.clone()) };
        if x.device().is_cpu() && x.dtype() == DType::F32 {
            return Ok(x.contiguous()?.apply_op1(Masked(Mask::new(key, self.rate)))?);
        }
        x.device().set_seed(key)?;
        let kept = Tensor::rand(0f32, 1f32, x.dims(), x.device())?.ge(self.rate)?;
        Ok((x * (kept.to_dtype(x.dtype())? * f64::from(1.0 / (1.0 - self.rate)))?)?)
    }
}

/// [`Mask::apply`] on a contiguous tensor.
struct Masked(Mask);

impl CustomOp1 for Masked {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let mut values = super::gradients::slice(storage, layout)?.to_vec();
        self.0.apply(&mut values, 0);
        Ok((CpuStorage::F32(values), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> candle_core::Result<Option<Tensor>> {
        gradient.contiguous()?.apply_op1_no_bwd(self).map(Some)
    }
}
