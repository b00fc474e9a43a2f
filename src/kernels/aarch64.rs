//! Vectors of 4 numbers: NEON, which every 64-bit Arm processor has.

use std::arch::aarch64::*;

use super::simd::{Kernel, Simd};

#[derive(Clone, Copy)]
pub(super) struct Neon;

/// SAFETY: the instruction belongs to the base of the architecture and works on registers only.
macro_rules! instruction {
    ($call:expr) => {
        unsafe { $call }
    };
}

impl Simd for Neon {
    type V = float32x4_t;
    const LANES: usize = 4;
    // 24 sums, two vectors of weights and a few numbers of the input: within 32 registers.
    const TILE_ROWS: usize = 12;

    fn run<K: Kernel>(self, kernel: K) {
        kernel.run(self);
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        instruction!(vdupq_n_f32(x))
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::V {
        let from = &from[..Self::LANES];
        // SAFETY: `from` has `LANES` numbers.
        unsafe { vld1q_f32(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, x: Self::V, to: &mut [f32]) {
        let to = &mut to[..Self::LANES];
        // SAFETY: `to` has `LANES` numbers.
        unsafe { vst1q_f32(to.as_mut_ptr(), x) }
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        instruction!(vaddq_f32(a, b))
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        instruction!(vsubq_f32(a, b))
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        instruction!(vmulq_f32(a, b))
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        instruction!(vdivq_f32(a, b))
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        instruction!(vfmaq_f32(c, a, b))
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        self.less(b, a, a, b)
    }

    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        self.less(a, b, a, b)
    }

    #[inline(always)]
    fn less(self, a: Self::V, b: Self::V, then: Self::V, otherwise: Self::V) -> Self::V {
        instruction!(vbslq_f32(vcltq_f32(a, b), then, otherwise))
    }

    #[inline(always)]
    fn exponent(self, bits: Self::V) -> Self::V {
        instruction!(vreinterpretq_f32_u32(vshlq_n_u32::<23>(vreinterpretq_u32_f32(bits))))
    }
}
