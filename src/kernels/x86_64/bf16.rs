//! AVX-512-BF16: numbers of f32 rounded to bfloat16, and pairs of them.

use std::arch::x86_64::*;

use half::bf16;

use super::Avx512;
use crate::kernels::isa::Isa;
use crate::kernels::precision::Precision;

/// Proof that this machine has AVX-512-BF16: only [`Bf16::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct Bf16(Avx512);

impl Bf16 {
    pub(in crate::kernels) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512bw");
        Avx512::detect().filter(|_| has).map(Self)
    }

    /// The instructions that come with it.
    pub(super) fn avx512(self) -> Avx512 {
        self.0
    }

    /// The unit, where attention of this precision on this instruction set uses it.
    pub(in crate::kernels) fn of(isa: Isa, precision: Precision) -> Option<Self> {
        let wanted = matches!(precision, Precision::Bf16 | Precision::Int8) && matches!(isa, Isa::Avx512 | Isa::Amx);
        wanted.then(Self::detect).flatten()
    }
}

/// To the nearest bfloat16, ties to even. [`bf16::from_f32`] in a form that compiles to vectors.
#[inline(always)]
pub(super) fn round(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16;
    if x.is_nan() { bf16::NAN.to_bits() } else { rounded }
}

/// Rounds to pairs of bfloat16, to the nearest, ties to even.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn narrow(from: &[f32], to: &mut [u32]) {
    let (wholes, rest) = from.as_chunks::<{ 2 * LANES }>();
    let mut to = to.chunks_mut(LANES);
    for (numbers, to) in wholes.iter().zip(&mut to) {
        // SAFETY: as many numbers make up a vector of pairs; the store asks for no alignment.
        unsafe { _mm512_storeu_si512(to[..LANES].as_mut_ptr().cast(), narrowed(numbers)) };
    }
    if let (Some(to), false) = (to.next(), rest.is_empty()) {
        let there = (1_u32 << rest.len()) - 1;
        let (first, second) = (rest.as_ptr(), rest.as_ptr().wrapping_add(LANES));
        let count = rest.len().div_ceil(2);
        // SAFETY: only the numbers that `rest` has are read, and the pairs that `to` has are written.
        unsafe {
            let low = _mm512_maskz_loadu_ps(there as u16, first);
            let high = _mm512_maskz_loadu_ps((there >> LANES) as u16, second);
            let to = to[..count].as_mut_ptr().cast();
            _mm512_mask_storeu_epi32(to, u16::MAX >> (LANES - count), joined(low, high));
        }
    }
}

/// Numbers in a vector of f32, and pairs in a vector of pairs.
pub(super) const LANES: usize = 16;

/// Rounded to pairs of bfloat16, to the nearest, ties to even.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn narrowed(numbers: &[f32; 2 * LANES]) -> __m512i {
    let numbers = numbers.as_ptr();
    // SAFETY: there are two vectors of them; the load asks for no alignment.
    let (low, high) = unsafe { (_mm512_loadu_ps(numbers), _mm512_loadu_ps(numbers.add(LANES))) };
    joined(low, high)
}

/// [`narrowed`] of the first numbers and the others.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn joined(low: __m512, high: __m512) -> __m512i {
    // SAFETY: both types are 64 plain bytes.
    unsafe { std::mem::transmute(_mm512_cvtne2ps_pbh(high, low)) }
}
