//! Leaving out a share of the elements while a model learns.

use std::sync::Arc;

use candle_core::Tensor;

use super::gradients;
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

    /// Whether it is beside layers that do not learn, where nothing is ever left out.
    #[cfg(feature = "cuda")]
    pub(super) fn is_idle(&self) -> bool {
        self.noise.is_none()
    }

    /// The key of the next mask; none where nothing is left out now.
    fn draw(&self) -> Option<u64> {
        self.noise.as_ref()?.draw()
    }

    /// The next mask, for an operation that applies it itself.
    pub(super) fn mask(&self) -> Option<Mask> {
        self.draw().map(|key| Mask::new(key, self.rate))
    }

    /// `x` of any shape, some of it 0 and the rest raised.
    ///
    /// # Errors
    /// The device has no room.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Some(key) = self.draw() else { return Ok(x.clone()) };
        if gradients::take(x) {
            return Ok(gradients::mask(x, Mask::new(key, self.rate))?);
        }
        if x.device().is_cpu() {
            let mask = Mask::new(key, self.rate);
            let factors = Tensor::from_iter((0..x.elem_count()).map(|at| mask.factor(at)), x.device())?;
            return Ok((x * factors.reshape(x.dims())?.to_dtype(x.dtype())?)?);
        }
        x.device().set_seed(key)?;
        let kept = Tensor::rand(0f32, 1f32, x.dims(), x.device())?.ge(self.rate)?;
        Ok((x * (kept.to_dtype(x.dtype())? * f64::from(1.0 / (1.0 - self.rate)))?)?)
    }
}
