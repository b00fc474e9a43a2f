//! Plain Rust, in vectors of a size that the compiler maps to the registers of any machine.

use super::simd::{Kernel, Simd};

const LANES: usize = 4;

#[derive(Clone, Copy)]
pub(super) struct Portable;

macro_rules! lanes {
    ($f:expr, $($v:ident),+) => {{
        let mut out = [0.0; LANES];
        for i in 0..LANES {
            out[i] = $f($($v[i]),+);
        }
        out
    }};
}

impl Simd for Portable {
    type V = [f32; LANES];
    const LANES: usize = LANES;
    const TILE_ROWS: usize = 6;

    fn run<K: Kernel>(self, kernel: K) {
        kernel.run(self);
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; LANES]
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::V {
        [from[0], from[1], from[2], from[3]]
    }

    #[inline(always)]
    fn store(self, x: Self::V, to: &mut [f32]) {
        to[..LANES].copy_from_slice(&x);
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(|a, b| a + b, a, b)
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(|a, b| a - b, a, b)
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(|a, b| a * b, a, b)
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(|a, b| a / b, a, b)
    }

    // Two roundings: `f32::mul_add` is a call where the machine has no fused instruction.
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        lanes!(|a, b, c| a * b + c, a, b, c)
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(|a, b| if a > b { a } else { b }, a, b)
    }

    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        lanes!(|a, b| if a < b { a } else { b }, a, b)
    }

    #[inline(always)]
    fn less(self, a: Self::V, b: Self::V, then: Self::V, otherwise: Self::V) -> Self::V {
        lanes!(|a, b, then, otherwise| if a < b { then } else { otherwise }, a, b, then, otherwise)
    }

    #[inline(always)]
    fn exponent(self, bits: Self::V) -> Self::V {
        lanes!(|x: f32| f32::from_bits(x.to_bits() << 23), bits)
    }
}
