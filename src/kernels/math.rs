//! Functions of one number, on vectors.

use super::Activation;
use super::simd::Simd;

/// `e^x`, within 2 units in the last place (2e-7 relative); 0 below -87.7, infinite above 88.4.
#[inline(always)]
pub(super) fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    /// A number of this size has no bits for a fraction: rounded to a whole number, its last bits are those of
    /// `n + 127`, the exponent of `2^n`.
    const WHOLE: f32 = 12_582_912.0 + 127.0;
    // The number is the second operand, which is the one kept when it is not a number.
    let x = s.min(s.splat(88.5), s.max(s.splat(-88.0), x));
    let whole = s.mul_add(x, s.splat(std::f32::consts::LOG2_E), s.splat(WHOLE));
    let n = s.sub(whole, s.splat(WHOLE));
    // ln 2 in two parts: the first has few bits, so its product with n is exact.
    let r = s.mul_add(n, s.splat(-0.693_359_4), x);
    let r = s.mul_add(n, s.splat(2.121_944_4e-4), r);
    // The least relative error over |r| <= ln(2) / 2, with 1 + r given: 3e-9.
    let p = polynomial(s, r, &[1.381_453_9e-3, 8.368_745e-3, 4.166_839e-2, 1.666_652_1e-1, 0.499_999_94, 1.0, 1.0]);
    s.mul(p, s.exponent(whole))
}

/// The error function, within 2.5e-7; 1 and -1 from 3.92 on.
///
/// An odd polynomial of degree 31, the least error over |x| <= 3.92. Its variable runs from -1 to 1, so that few digits
/// are lost in its sums.
#[inline(always)]
pub(super) fn erf<S: Simd>(s: S, x: S::V) -> S::V {
    const END: f32 = 3.92;
    let (one, minus_one) = (s.splat(1.0), s.splat(-1.0));
    let x = s.min(s.splat(END), s.max(s.splat(-END), x));
    let u = s.mul_add(s.mul(x, x), s.splat(2.0 / (END * END)), minus_one);
    let p = polynomial(
        s,
        u,
        &[
            -7.754_098e-4,
            2.045_765e-3,
            -1.618_700_6e-3,
            2.087_125_8e-3,
            -7.371_939e-3,
            1.400_488_9e-2,
            -2.018_044_1e-2,
            2.982_083_7e-2,
            -4.337_468_4e-2,
            5.835_849_4e-2,
            -7.403_017e-2,
            9.060_231e-2,
            -1.091_785e-1,
            1.340_842_7e-1,
            -1.801_086_4e-1,
            3.607_368_2e-1,
        ],
    );
    s.min(one, s.max(minus_one, s.mul(x, p)))
}

/// The hyperbolic tangent, within 3 units in the last place.
#[inline(always)]
pub(super) fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let t = abs(s, x);
    let square = s.mul(x, x);
    let near = polynomial(s, square, &[-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1]);
    let near = s.mul_add(s.mul(near, square), x, x);
    let one = s.splat(1.0);
    let far = s.sub(one, s.div(s.splat(2.0), s.add(exp(s, s.add(t, t)), one)));
    s.less(t, s.splat(0.625), near, with_sign_of(s, far, x))
}

/// What a layer applies to its result.
#[inline(always)]
pub(super) fn activated<S: Simd>(s: S, activation: Activation, x: S::V) -> S::V {
    match activation {
        Activation::None => x,
        Activation::Gelu => {
            let half = s.mul(x, s.splat(0.5));
            s.mul_add(half, erf(s, s.mul(x, s.splat(std::f32::consts::FRAC_1_SQRT_2))), half)
        }
        Activation::GeluTanh => {
            let half = s.mul(x, s.splat(0.5));
            let cubic = s.mul_add(s.mul(s.mul(x, x), s.splat(0.044_715)), x, x);
            s.mul_add(half, tanh(s, s.mul(cubic, s.splat(0.797_884_6))), half)
        }
        Activation::Relu => s.max(s.splat(0.0), x),
        Activation::Silu => {
            let e = exp(s, s.sub(s.splat(0.0), x));
            s.div(x, s.add(e, s.splat(1.0)))
        }
        Activation::Tanh => tanh(s, x),
    }
}

/// Coefficients from the highest power down.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, x: S::V, coefficients: &[f32; N]) -> S::V {
    let mut sum = s.splat(coefficients[0]);
    for &c in &coefficients[1..] {
        sum = s.mul_add(sum, x, s.splat(c));
    }
    sum
}

#[inline(always)]
fn abs<S: Simd>(s: S, x: S::V) -> S::V {
    s.max(x, s.sub(s.splat(0.0), x))
}

#[inline(always)]
fn with_sign_of<S: Simd>(s: S, x: S::V, sign: S::V) -> S::V {
    let zero = s.splat(0.0);
    s.less(sign, zero, s.sub(zero, x), x)
}
