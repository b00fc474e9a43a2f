//! Vectors of 16 numbers: AVX-512.

use std::arch::x86_64::*;

use crate::kernels::simd::{Kernel, Simd};

/// Proof that this machine has AVX-512F: only [`Avx512::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct Avx512(());

impl Avx512 {
    pub(in crate::kernels) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"))
            .then_some(Self(()))
    }
}

/// SAFETY: `self` proves that the instruction exists; it works on registers only.
macro_rules! instruction {
    ($call:expr) => {
        unsafe { $call }
    };
}

impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    // 28 sums, two vectors of weights and one number of the input: 31 of the 32 registers.
    const TILE_ROWS: usize = 14;

    fn run<K: Kernel>(self, kernel: K) {
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn inner<K: Kernel>(simd: Avx512, kernel: K) {
            kernel.run(simd);
        }
        // SAFETY: `self` proves that this machine has the instructions.
        unsafe { inner(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        instruction!(_mm512_set1_ps(x))
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::V {
        let from = &from[..Self::LANES];
        // SAFETY: `from` has `LANES` numbers, and the load asks for no alignment.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, x: Self::V, to: &mut [f32]) {
        let to = &mut to[..Self::LANES];
        // SAFETY: `to` has `LANES` numbers, and the store asks for no alignment.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), x) }
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        instruction!(_mm512_add_ps(a, b))
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        instruction!(_mm512_sub_ps(a, b))
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        instruction!(_mm512_mul_ps(a, b))
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        instruction!(_mm512_div_ps(a, b))
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        instruction!(_mm512_max_ps(a, b))
    }

    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        instruction!(_mm512_min_ps(a, b))
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        instruction!(_mm512_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn less(self, a: Self::V, b: Self::V, then: Self::V, otherwise: Self::V) -> Self::V {
        instruction!(_mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), otherwise, then))
    }

    #[inline(always)]
    fn power_of_two(self, n: Self::V) -> Self::V {
        instruction!({
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        })
    }
}
