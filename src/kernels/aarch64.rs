//! Vectors of 4 numbers: NEON, which every 64-bit Arm processor has.

use std::arch::aarch64::*;

use super::simd::{Kernel, Simd, in_registers, lanewise};

#[derive(Clone, Copy)]
pub(super) struct Neon;

impl Simd for Neon {
    type V = float32x4_t;
    const LANES: usize = 4;
    // 24 sums, two vectors of weights and a few numbers of the input: within 32 registers.
    const TILE_ROWS: usize = 12;

    fn run<K: Kernel>(self, kernel: K) {
        kernel.run(self);
    }

    in_registers! {
        splat(x: f32) -> Self::V = vdupq_n_f32(x);
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

    lanewise! {
        add(a, b) = vaddq_f32(a, b);
        sub(a, b) = vsubq_f32(a, b);
        mul(a, b) = vmulq_f32(a, b);
        div(a, b) = vdivq_f32(a, b);
        mul_add(a, b, c) = vfmaq_f32(c, a, b);
        less(a, b, then, otherwise) = vbslq_f32(vcltq_f32(a, b), then, otherwise);
        exponent(bits) = vreinterpretq_f32_u32(vshlq_n_u32::<23>(vreinterpretq_u32_f32(bits)));
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        self.less(b, a, a, b)
    }

    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        self.less(a, b, a, b)
    }
}
