//! Functions of one number, on vectors.

use super::Activation;
use super::simd::Simd;

/// `e^x`, within 2 units in the last place (2e-7 relative); 0 below -104, infinite above 89.
#[inline(always)]
pub(super) fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    // The number is the second operand, which is the one kept when it is not a number.
    let x = s.min(s.splat(89.0), s.max(s.splat(-105.0), x));
    let n = round(s, s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    // ln 2 in two parts: the first has few bits, so its product with n is exact.
    let r = s.mul_add(n, s.splat(-0.693_359_4), x);
    let r = s.mul_add(n, s.splat(2.121_944_4e-4), r);
    let p = polynomial(s, r, &[1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1]);
    let p = s.add(s.mul_add(s.mul(p, r), r, r), s.splat(1.0));
    // 2^n by halves: n reaches beyond the exponents of f32 at both ends.
    let half = round(s, s.mul(n, s.splat(0.5)));
    s.mul(s.mul(p, s.power_of_two(half)), s.power_of_two(s.sub(n, half)))
}

/// The error function, within 2 units in the last place.
#[inline(always)]
pub(super) fn erf<S: Simd>(s: S, x: S::V) -> S::V {
    let t = abs(s, x);
    let square = s.mul(x, x);
    let near = polynomial(
        s,
        square,
        &[-5.967_617e-4, 4.991_194_2e-3, -2.676_813_5e-2, 1.128_199_3e-1, -3.761_253_4e-1, 1.283_791_7e-1],
    );
    let near = s.mul_add(near, x, x);
    // 1 - e^p(t)
    let far = polynomial(
        s,
        t,
        &[
            -1.728_534_7e-5,
            3.831_979_7e-4,
            -3.883_964_4e-3,
            2.425_462_2e-2,
            -1.067_778_8e-1,
            -6.348_467e-1,
            -1.287_175_1e-1,
        ],
    );
    let far = s.mul_add(far, t, s.sub(s.splat(0.0), t));
    let far = s.sub(s.splat(1.0), exp(s, far));
    s.less(t, s.splat(0.927_734_4), near, with_sign_of(s, far, x))
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

/// To the nearest whole number, for `|x| < 2^22`: adding 1.5 * 2^23 leaves no bits for a fraction.
#[inline(always)]
fn round<S: Simd>(s: S, x: S::V) -> S::V {
    let shift = s.splat(12_582_912.0);
    s.sub(s.add(x, shift), shift)
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
