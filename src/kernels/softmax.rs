//! The softmax of one row of scores.

use std::ops::Range;

use super::math::exp;
use super::simd::Simd;

/// `exp(x - max)` of `x = scale * scores + bias` over the keys `seen`, 0 elsewhere. Returns their sum.
#[inline(always)]
pub(super) fn exponentials<S: Simd>(
    s: S,
    scores: &mut [f32],
    scale: f32,
    bias: Option<&[f32]>,
    seen: Range<usize>,
) -> f32 {
    scores[..seen.start].fill(0.0);
    scores[seen.end..].fill(0.0);
    let bias = bias.map(|b| &b[seen.clone()]);
    let scores = &mut scores[seen];
    let scale = s.splat(scale);
    let mut max = s.splat(f32::NEG_INFINITY);
    for (at, row) in (0..).step_by(S::LANES).zip(scores.chunks_mut(S::LANES)) {
        let mut x = s.mul(s.load_or(row, f32::NEG_INFINITY), scale);
        if let Some(bias) = bias {
            x = s.add(x, s.load_some(&bias[at..][..row.len()]));
        }
        s.store_some(x, row);
        max = s.max(x, max);
    }
    let max = s.splat(s.maximum(max));
    let mut sum = s.splat(0.0);
    for row in scores.chunks_mut(S::LANES) {
        let e = exp(s, s.sub(s.load_or(row, f32::NEG_INFINITY), max));
        s.store_some(e, row);
        sum = s.add(sum, e);
    }
    s.sum(sum)
}

/// Multiplies a row.
#[inline(always)]
pub(super) fn scale_row<S: Simd>(s: S, row: &mut [f32], by: f32) {
    for row in row.chunks_mut(S::LANES) {
        s.store_some(s.mul(s.load_some(row), s.splat(by)), row);
    }
}
