//! Vectors of 8 numbers: AVX2 with FMA.

use std::arch::x86_64::*;

use crate::kernels::simd::{Kernel, Simd, in_registers, lanewise};

/// Proof that this machine has AVX2 and FMA: only [`Avx2::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct Avx2(());

impl Avx2 {
    pub(in crate::kernels) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    // 12 sums, two vectors of weights and one number of the input: 15 of the 16 registers.
    const TILE_ROWS: usize = 6;

    fn run<K: Kernel>(self, kernel: K) {
        #[target_feature(enable = "avx2,fma")]
        fn inner<K: Kernel>(simd: Avx2, kernel: K) {
            kernel.run(simd);
        }
        // SAFETY: `self` proves that this machine has the instructions.
        unsafe { inner(self, kernel) }
    }

    in_registers! {
        splat(x: f32) -> Self::V = _mm256_set1_ps(x);
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::V {
        let from = &from[..Self::LANES];
        // SAFETY: `self` proves that the instruction exists; `from` has `LANES` numbers, the load asks for no alignment.
        unsafe { _mm256_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, x: Self::V, to: &mut [f32]) {
        let to = &mut to[..Self::LANES];
        // SAFETY: `self` proves that the instruction exists; `to` has `LANES` numbers, the store asks for no alignment.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), x) }
    }

    lanewise! {
        add(a, b) = _mm256_add_ps(a, b);
        sub(a, b) = _mm256_sub_ps(a, b);
        mul(a, b) = _mm256_mul_ps(a, b);
        div(a, b) = _mm256_div_ps(a, b);
        max(a, b) = _mm256_max_ps(a, b);
        min(a, b) = _mm256_min_ps(a, b);
        mul_add(a, b, c) = _mm256_fmadd_ps(a, b, c);
        less(a, b, then, otherwise) = _mm256_blendv_ps(otherwise, then, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b));
        exponent(bits) = _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_castps_si256(bits)));
    }

    #[inline(always)]
    fn turn(self, from: &[f32], stride: usize, to: &mut [f32]) {
        let mut rows = [self.splat(0.0); Self::LANES];
        // A loop: instructions are not inlined into a closure.
        for (row, numbers) in rows.iter_mut().enumerate() {
            *numbers = self.load(&from[row * stride..]);
        }
        // SAFETY: `self` proves that the instructions exist.
        let columns = unsafe { transposed(rows) };
        for (column, to) in columns.into_iter().rev().zip(to.chunks_exact_mut(Self::LANES)) {
            self.store(column, to);
        }
    }

    #[inline(always)]
    fn load_or(self, from: &[f32], other: f32) -> Self::V {
        if from.len() >= Self::LANES {
            return self.load(from);
        }
        // SAFETY: `self` proves that the instructions exist; only the lanes that `from` has are read.
        unsafe {
            let mask = first(from.len());
            let numbers = _mm256_maskload_ps(from.as_ptr(), mask);
            _mm256_blendv_ps(_mm256_set1_ps(other), numbers, _mm256_castsi256_ps(mask))
        }
    }

    #[inline(always)]
    fn store_some(self, x: Self::V, to: &mut [f32]) {
        if to.len() >= Self::LANES {
            return self.store(x, to);
        }
        // SAFETY: `self` proves that the instructions exist; only the lanes that `to` has are written.
        unsafe { _mm256_maskstore_ps(to.as_mut_ptr(), first(to.len()), x) }
    }

    #[inline(always)]
    fn maximum(self, x: Self::V) -> f32 {
        // SAFETY: `self` proves that the instructions exist; they work on registers only.
        unsafe {
            let half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)))
        }
    }

    #[inline(always)]
    fn sum(self, x: Self::V) -> f32 {
        // SAFETY: as above.
        unsafe {
            let half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
}

/// The columns of a square of which these are the rows.
#[inline]
#[target_feature(enable = "avx2")]
fn transposed(rows: [__m256; 8]) -> [__m256; 8] {
    let double = |a, b| (_mm256_castps_pd(a), _mm256_castps_pd(b));
    // Half `h` of `fours[4 * i + c]` is column `4 * h + c` of the rows from `4 * i` on.
    let mut fours = rows;
    for i in [0, 4] {
        let low = [_mm256_unpacklo_ps(rows[i], rows[i + 1]), _mm256_unpacklo_ps(rows[i + 2], rows[i + 3])];
        let high = [_mm256_unpackhi_ps(rows[i], rows[i + 1]), _mm256_unpackhi_ps(rows[i + 2], rows[i + 3])];
        for (c, [upper, lower]) in [(0, low), (2, high)] {
            let (upper, lower) = double(upper, lower);
            fours[i + c] = _mm256_castpd_ps(_mm256_unpacklo_pd(upper, lower));
            fours[i + c + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(upper, lower));
        }
    }
    let mut columns = rows;
    for c in 0..4 {
        columns[c] = _mm256_permute2f128_ps::<0x20>(fours[c], fours[4 + c]);
        columns[4 + c] = _mm256_permute2f128_ps::<0x31>(fours[c], fours[4 + c]);
    }
    columns
}

/// All bits set in the first `count` lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn first(count: usize) -> __m256i {
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
}
