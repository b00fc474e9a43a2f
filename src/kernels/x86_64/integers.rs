//! Products of whole numbers, by the instructions there are.

use std::arch::x86_64::*;

use super::integer_tile::{self, Factors, Integers, Multiply, Numbers};
use super::{Avx2, Avx512};
use crate::kernels::gemm::LinesMut;
use crate::kernels::isa::Isa;
use crate::kernels::simd::{Kernel, Simd, in_registers};

/// Numbers of 14 and 13 bits on AVX2, twice as many in a vector as of f32: no sum of 64 products is as large as 2^31.
/// AVX2 multiplies bytes, too, but adds two products to 16 bits: there is room for 7 bits on one side only, and that is
/// too coarse.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct Halves(Avx2);

/// Bytes on AVX-VNNI.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct Vnni(Avx2);

/// Bytes on AVX-512-VNNI.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct WideVnni(Avx512);

impl Integers for Avx2 {
    type W = __m256i;

    in_registers! {
        no_words() -> __m256i = _mm256_setzero_si256();
        splat_word(word: u32) -> __m256i = _mm256_set1_epi32(word.cast_signed());
        numbers(words: __m256i) -> __m256 = _mm256_cvtepi32_ps(words);
    }

    #[inline(always)]
    fn load_words(self, from: &[u32]) -> __m256i {
        let from = &from[..Self::LANES];
        // SAFETY: `self` proves that the instruction exists; `from` has `LANES` words, the load asks for no alignment.
        unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
    }
}

impl Integers for Avx512 {
    type W = __m512i;

    in_registers! {
        no_words() -> __m512i = _mm512_setzero_si512();
        splat_word(word: u32) -> __m512i = _mm512_set1_epi32(word.cast_signed());
        numbers(words: __m512i) -> __m512 = _mm512_cvtepi32_ps(words);
    }

    #[inline(always)]
    fn load_words(self, from: &[u32]) -> __m512i {
        let from = &from[..Self::LANES];
        // SAFETY: `self` proves that the instruction exists; `from` has `LANES` words, the load asks for no alignment.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }
}

const HALVES: Numbers = Numbers { in_word: 2, most_of_rows: 8191, most_of_columns: 4095, name: "int16" };
const BYTES: Numbers = Numbers { in_word: 4, most_of_rows: 255, most_of_columns: 127, name: "int8" };

impl Multiply for Halves {
    type S = Avx2;
    const NUMBERS: Numbers = HALVES;

    #[inline(always)]
    fn vectors(self) -> Avx2 {
        self.0
    }

    in_registers! {
        add_products(sum: __m256i, row: __m256i, column: __m256i) -> __m256i =
            _mm256_add_epi32(sum, _mm256_madd_epi16(row, column));
    }
}

impl Multiply for Vnni {
    type S = Avx2;
    const NUMBERS: Numbers = BYTES;

    #[inline(always)]
    fn vectors(self) -> Avx2 {
        self.0
    }

    in_registers! {
        add_products(sum: __m256i, row: __m256i, column: __m256i) -> __m256i =
            _mm256_dpbusd_avx_epi32(sum, row, column);
    }
}

impl Multiply for WideVnni {
    type S = Avx512;
    const NUMBERS: Numbers = BYTES;

    #[inline(always)]
    fn vectors(self) -> Avx512 {
        self.0
    }

    in_registers! {
        add_products(sum: __m512i, row: __m512i, column: __m512i) -> __m512i =
            _mm512_dpbusd_epi32(sum, row, column);
    }
}

/// What multiplies whole numbers: a value is the proof that this machine has the instructions.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) enum Unit {
    Halves(Halves),
    Vnni(Vnni),
    WideVnni(WideVnni),
}

/// Does one thing with what multiplies.
macro_rules! with {
    ($unit:expr, $m:ident => $body:expr) => {
        match $unit {
            Unit::Halves($m) => $body,
            Unit::Vnni($m) => $body,
            Unit::WideVnni($m) => $body,
        }
    };
}

impl Unit {
    /// The one for numbers of 16 bits that goes with an instruction set.
    pub(in crate::kernels) fn halves(isa: Isa) -> Option<Self> {
        Avx2::detect().filter(|_| isa == Isa::Avx2).map(|avx2| Self::Halves(Halves(avx2)))
    }

    /// The one for bytes that goes with an instruction set.
    pub(in crate::kernels) fn bytes(isa: Isa) -> Option<Self> {
        match isa {
            Isa::Avx512 if is_x86_feature_detected!("avx512vnni") => {
                Avx512::detect().map(|v| Self::WideVnni(WideVnni(v)))
            }
            Isa::Avx2 if is_x86_feature_detected!("avxvnni") => Avx2::detect().map(|v| Self::Vnni(Vnni(v))),
            _ => None,
        }
    }

    /// The instruction set that it goes with.
    pub(super) fn isa(self) -> Isa {
        match self {
            Self::WideVnni(_) => Isa::Avx512,
            _ => Isa::Avx2,
        }
    }

    /// Which numbers it multiplies.
    pub(super) fn numbers(self) -> Numbers {
        fn of<M: Multiply>(_: M) -> Numbers {
            M::NUMBERS
        }
        with!(self, m => of(m))
    }

    /// Runs a kernel with the vectors that go with it.
    pub(super) fn run(self, kernel: impl Kernel) {
        with!(self, m => m.vectors().run(kernel));
    }

    /// [`integer_tile::multiply`].
    pub(super) fn multiply(self, height: usize, factors: Factors, c: LinesMut) {
        #[target_feature(enable = "avx2,fma")]
        fn on_avx2(m: Halves, height: usize, factors: Factors, c: LinesMut) {
            integer_tile::multiply(m, height, factors, c);
        }
        #[target_feature(enable = "avx2,fma,avxvnni")]
        fn on_vnni(m: Vnni, height: usize, factors: Factors, c: LinesMut) {
            integer_tile::multiply(m, height, factors, c);
        }
        #[target_feature(enable = "avx512f,avx512vnni,avx2,fma")]
        fn on_wide_vnni(m: WideVnni, height: usize, factors: Factors, c: LinesMut) {
            integer_tile::multiply(m, height, factors, c);
        }
        // SAFETY: each proves that this machine has the instructions.
        unsafe {
            match self {
                Self::Halves(m) => on_avx2(m, height, factors, c),
                Self::Vnni(m) => on_vnni(m, height, factors, c),
                Self::WideVnni(m) => on_wide_vnni(m, height, factors, c),
            }
        }
    }
}
