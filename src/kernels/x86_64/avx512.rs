//! Vectors of 16 numbers: AVX-512.

use std::arch::x86_64::*;

use crate::kernels::simd::{Kernel, Simd, in_registers, lanewise};

/// Proof that this machine has AVX-512F: only [`Avx512::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct Avx512(());

impl Avx512 {
    pub(in crate::kernels) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"))
            .then_some(Self(()))
    }
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

    in_registers! {
        splat(x: f32) -> Self::V = _mm512_set1_ps(x);
        maximum(x: Self::V) -> f32 = _mm512_reduce_max_ps(x);
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::V {
        let from = &from[..Self::LANES];
        // SAFETY: `self` proves that the instruction exists; `from` has `LANES` numbers, the load asks for no alignment.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, x: Self::V, to: &mut [f32]) {
        let to = &mut to[..Self::LANES];
        // SAFETY: `self` proves that the instruction exists; `to` has `LANES` numbers, the store asks for no alignment.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), x) }
    }

    lanewise! {
        add(a, b) = _mm512_add_ps(a, b);
        sub(a, b) = _mm512_sub_ps(a, b);
        mul(a, b) = _mm512_mul_ps(a, b);
        div(a, b) = _mm512_div_ps(a, b);
        max(a, b) = _mm512_max_ps(a, b);
        min(a, b) = _mm512_min_ps(a, b);
        mul_add(a, b, c) = _mm512_fmadd_ps(a, b, c);
        less(a, b, then, otherwise) = _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), otherwise, then);
        exponent(bits) = _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_castps_si512(bits)));
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
        unsafe { _mm512_mask_loadu_ps(_mm512_set1_ps(other), first(from.len()), from.as_ptr()) }
    }

    #[inline(always)]
    fn store_some(self, x: Self::V, to: &mut [f32]) {
        if to.len() >= Self::LANES {
            return self.store(x, to);
        }
        // SAFETY: `self` proves that the instructions exist; only the lanes that `to` has are written.
        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), first(to.len()), x) }
    }

    #[inline(always)]
    fn sum(self, x: Self::V) -> f32 {
        // SAFETY: `self` proves that the instructions exist; they work on registers only.
        unsafe {
            let half = _mm256_add_ps(_mm512_castps512_ps256(x), upper_half(x));
            let quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps::<1>(half));
            let pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
}

/// The columns of a square of which these are the rows.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: [__m512; 16]) -> [__m512; 16] {
    let double = |a, b| (_mm512_castps_pd(a), _mm512_castps_pd(b));
    let mut columns = rows;
    // Quarter `q` of `fours[4 * i + c]` is column `4 * q + c` of the rows from `4 * i` on.
    let mut fours = rows;
    for i in (0..16).step_by(4) {
        let low = [_mm512_unpacklo_ps(rows[i], rows[i + 1]), _mm512_unpacklo_ps(rows[i + 2], rows[i + 3])];
        let high = [_mm512_unpackhi_ps(rows[i], rows[i + 1]), _mm512_unpackhi_ps(rows[i + 2], rows[i + 3])];
        for (c, [upper, lower]) in [(0, low), (2, high)] {
            let (upper, lower) = double(upper, lower);
            fours[i + c] = _mm512_castpd_ps(_mm512_unpacklo_pd(upper, lower));
            fours[i + c + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(upper, lower));
        }
    }
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    for c in 0..4 {
        let (a, b) = ([fours[c], fours[4 + c]], [fours[8 + c], fours[12 + c]]);
        let even = [_mm512_shuffle_f32x4::<EVEN>(a[0], a[1]), _mm512_shuffle_f32x4::<EVEN>(b[0], b[1])];
        let odd = [_mm512_shuffle_f32x4::<ODD>(a[0], a[1]), _mm512_shuffle_f32x4::<ODD>(b[0], b[1])];
        columns[c] = _mm512_shuffle_f32x4::<EVEN>(even[0], even[1]);
        columns[4 + c] = _mm512_shuffle_f32x4::<EVEN>(odd[0], odd[1]);
        columns[8 + c] = _mm512_shuffle_f32x4::<ODD>(even[0], even[1]);
        columns[12 + c] = _mm512_shuffle_f32x4::<ODD>(odd[0], odd[1]);
    }
    columns
}

/// The first `count` lanes.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    (1 << count) - 1
}

#[inline]
#[target_feature(enable = "avx512f")]
fn upper_half(x: __m512) -> __m256 {
    _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(x)))
}
