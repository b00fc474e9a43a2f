//! Operands to try the kernel with.

use candle_core::{DType, Device, Tensor};

use crate::backbones::layers::Derived;
use crate::backbones::layers::attention::{Bias, BiasWay, Disentangled, DistanceVectors, Distances, RelativeBias, Way};
use crate::error::Result;

pub(super) const HEADS: usize = 2;

/// Some of several blocks, and of none that is full.
pub(super) const LENGTHS: [usize; 4] = [70, 5, 1, 131];

/// One bias of each kind.
pub(super) struct Biases {
    pub(super) relative: RelativeBias,
    c2p: DistanceVectors,
    p2c: DistanceVectors,
    distances: Distances,
}

impl Biases {
    /// Of the same numbers always, rounded to each of `dtypes` in turn.
    pub(super) fn new(device: &Device, dtypes: [DType; 2], head_dim: usize, longest: usize) -> Result<Self> {
        const REACH: usize = 9;
        // Distances up to 20 have a position of their own; the first and the last few positions are for none.
        const POSITIONS: usize = 50;
        let made = |shape: &[usize]| -> Result<Derived> {
            let x = made_up(shape, device)?;
            Ok(Derived::Made(dtypes.into_iter().try_fold(x, |x, dtype| x.to_dtype(dtype))?))
        };
        let vectors = || Ok::<_, crate::Error>(DistanceVectors(Way::Tensors(made(&[HEADS, POSITIONS, head_dim])?)));
        let longest = longest as i64;
        let index = (1 - longest..longest).map(|distance| (distance.clamp(-20, 20) + 25) as u32);
        Ok(Self {
            relative: RelativeBias { reach: REACH, way: BiasWay::Tensors(made(&[HEADS, 2 * REACH + 1])?) },
            c2p: vectors()?,
            p2c: vectors()?,
            distances: Distances::new(index.collect()),
        })
    }

    pub(super) fn disentangled(&self) -> Bias<'_> {
        let Self { c2p, p2c, distances, .. } = self;
        Bias::Disentangled(Disentangled { c2p: Some(c2p), p2c: Some(p2c), distances })
    }
}

/// Numbers between -2 and 2 without a pattern.
pub(super) fn made_up(shape: &[usize], device: &Device) -> Result<Tensor> {
    let mut state = 1u32;
    let numbers = (0..shape.iter().product()).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 22) as f32 - 2.0
    });
    Ok(Tensor::from_vec(numbers.collect::<Vec<f32>>(), shape, device)?)
}
