//! Products of whole numbers, by the instructions there are.

use std::arch::x86_64::*;

use super::integer_tile::{self, Factors, Integers, Multiply};
use super::{Avx2, Avx512};
use crate::kernels::gemm::LinesMut;
use crate::kernels::isa::Isa;
use crate::kernels::simd::{Kernel, Simd};

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

/// SAFETY: the proof in `self` says that the instruction exists; it works on registers only.
macro_rules! instruction {
    ($call:expr) => {
        unsafe { $call }
    };
}

impl Integers for Avx2 {
    type W = __m256i;

    #[inline(always)]
    fn no_words(self) -> __m256i {
        instruction!(_mm256_setzero_si256())
    }

    #[inline(always)]
    fn splat_word(self, word: u32) -> __m256i {
        instruction!(_mm256_set1_epi32(word.cast_signed()))
    }

    #[inline(always)]
    fn load_words(self, from: &[u32]) -> __m256i {
        let from = &from[..Self::LANES];
        // SAFETY: `from` has `LANES` words, and the load asks for no alignment.
        unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn numbers(self, words: __m256i) -> __m256 {
        instruction!(_mm256_cvtepi32_ps(words))
    }
}

impl Integers for Avx512 {
    type W = __m512i;

    #[inline(always)]
    fn no_words(self) -> __m512i {
        instruction!(_mm512_setzero_si512())
    }

    #[inline(always)]
    fn splat_word(self, word: u32) -> __m512i {
        instruction!(_mm512_set1_epi32(word.cast_signed()))
    }

    #[inline(always)]
    fn load_words(self, from: &[u32]) -> __m512i {
        let from = &from[..Self::LANES];
        // SAFETY: `from` has `LANES` words, and the load asks for no alignment.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn numbers(self, words: __m512i) -> __m512 {
        instruction!(_mm512_cvtepi32_ps(words))
    }
}

impl Multiply for Halves {
    type S = Avx2;
    const EACH: usize = 2;
    const MOST_OF_ROWS: u16 = 8191;
    const MOST_OF_COLUMNS: u16 = 4095;
    const NAME: &'static str = "int16";

    #[inline(always)]
    fn vectors(self) -> Avx2 {
        self.0
    }

    #[inline(always)]
    fn add_products(self, sum: __m256i, row: __m256i, column: __m256i) -> __m256i {
        instruction!(_mm256_add_epi32(sum, _mm256_madd_epi16(row, column)))
    }
}

impl Multiply for Vnni {
    type S = Avx2;
    const EACH: usize = 4;
    const MOST_OF_ROWS: u16 = 255;
    const MOST_OF_COLUMNS: u16 = 127;
    const NAME: &'static str = "int8";

    #[inline(always)]
    fn vectors(self) -> Avx2 {
        self.0
    }

    #[inline(always)]
    fn add_products(self, sum: __m256i, row: __m256i, column: __m256i) -> __m256i {
        instruction!(_mm256_dpbusd_avx_epi32(sum, row, column))
    }
}

impl Multiply for WideVnni {
    type S = Avx512;
    const EACH: usize = 4;
    const MOST_OF_ROWS: u16 = 255;
    const MOST_OF_COLUMNS: u16 = 127;
    const NAME: &'static str = "int8";

    #[inline(always)]
    fn vectors(self) -> Avx512 {
        self.0
    }

    #[inline(always)]
    fn add_products(self, sum: __m512i, row: __m512i, column: __m512i) -> __m512i {
        instruction!(_mm512_dpbusd_epi32(sum, row, column))
    }
}

/// The whole numbers that a [`Unit`] multiplies: see [`Multiply`].
pub(super) struct Numbers {
    pub(super) in_word: usize,
    pub(super) most_of_rows: u16,
    pub(super) most_of_columns: u16,
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

    pub(super) fn name(self) -> &'static str {
        fn of<M: Multiply>(_: M) -> &'static str {
            M::NAME
        }
        with!(self, m => of(m))
    }

    /// Which numbers it multiplies.
    pub(super) fn numbers(self) -> Numbers {
        fn of<M: Multiply>(_: M) -> Numbers {
            Numbers { in_word: M::EACH, most_of_rows: M::MOST_OF_ROWS, most_of_columns: M::MOST_OF_COLUMNS }
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
