//! What is done to each row or element alone: norms, activations, gates.

use super::isa::current;
use super::math::activated;
use super::simd::{Kernel, Simd};
use super::team::worth;
use super::{Activation, meter, parallel};

/// Normalises each row of `x (rows, width)` to mean 0 and variance 1 (biased), then scales by
/// `weight (width)` and shifts by `bias (width)`, into `out (rows, width)`.
pub fn layer_norm(x: &[f32], weight: &[f32], bias: Option<&[f32]>, eps: f32, out: &mut [f32], threads: usize) {
    assert_eq!(x.len(), out.len(), "output of a norm");
    assert!(bias.is_none_or(|bias| bias.len() == weight.len()), "bias of a norm");
    if weight.is_empty() {
        return;
    }
    let _timer = meter::start(meter::Part::Rows);
    let (isa, share) = (current(), share(x.len(), weight.len(), threads));
    parallel(x.chunks(share).zip(out.chunks_mut(share)), |(x, out)| isa.run(LayerNorm { x, weight, bias, eps, out }));
}

/// Divides each row of `x (rows, width)` by the root of its mean square, then scales by `weight (width)`,
/// into `out (rows, width)`.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32], threads: usize) {
    assert_eq!(x.len(), out.len(), "output of a norm");
    if weight.is_empty() {
        return;
    }
    let _timer = meter::start(meter::Part::Rows);
    let (isa, share) = (current(), share(x.len(), weight.len(), threads));
    parallel(x.chunks(share).zip(out.chunks_mut(share)), |(x, out)| isa.run(RmsNorm { x, weight, eps, out }));
}

/// Applies `activation` to every element of `x`.
pub fn activate(x: &mut [f32], activation: Activation, threads: usize) {
    let _timer = meter::start(meter::Part::Rows);
    let (isa, share) = (current(), share(x.len(), 1, threads));
    parallel(x.chunks_mut(share), |x| isa.run(Activate { x, activation }));
}

/// Gated unit: `out (rows, width)` is `activation(first half) * second half` of `x (rows, 2 * width)`.
pub fn gated(x: &[f32], width: usize, activation: Activation, out: &mut [f32]) {
    assert_eq!(x.len(), 2 * out.len(), "output of a gate");
    let _timer = meter::start(meter::Part::Rows);
    if width > 0 {
        current().run(Gated { x, width, activation, out });
    }
}

/// How heads are turned by their positions.
#[derive(Debug, Clone, Copy)]
pub struct Rotation<'a> {
    /// Heads of a row that are turned: the first ones.
    pub heads: usize,
    /// Columns of half a head.
    pub half: usize,
    /// Cosines and sines, `(positions, half)`.
    pub angles: [&'a [f32]; 2],
    /// 1 turns there, -1 turns back.
    pub sign: f32,
}

/// Turns the two halves of each head of each row of `x (rows, width)` by the angles of the row's position:
/// `first * cos - second * sin` and `second * cos + first * sin`.
pub fn rotate(x: &mut [f32], positions: &[usize], turn: Rotation, threads: usize) {
    if positions.is_empty() || turn.heads == 0 || turn.half == 0 {
        return;
    }
    let width = x.len() / positions.len();
    assert_eq!(x.len(), width * positions.len(), "a row for each position");
    assert!(width >= 2 * turn.heads * turn.half, "a row of heads");
    let _timer = meter::start(meter::Part::Rows);
    let (isa, share) = (current(), share(x.len(), width, threads));
    parallel(x.chunks_mut(share).zip(positions.chunks(share / width)), |(x, positions)| {
        isa.run(Rotate { x, width, positions, turn });
    });
}

struct Rotate<'a> {
    x: &'a mut [f32],
    width: usize,
    positions: &'a [usize],
    turn: Rotation<'a>,
}

impl Kernel for Rotate<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Rotation { heads, half, angles, sign } = self.turn;
        let sign = s.splat(sign);
        for (row, &position) in self.x.chunks_exact_mut(self.width).zip(self.positions) {
            let [cos, sin] = angles.map(|angles| &angles[position * half..][..half]);
            for head in row.chunks_exact_mut(2 * half).take(heads) {
                let halves = head.split_at_mut(half);
                let halves = halves.0.chunks_mut(S::LANES).zip(halves.1.chunks_mut(S::LANES));
                for ((first, second), (cos, sin)) in halves.zip(cos.chunks(S::LANES).zip(sin.chunks(S::LANES))) {
                    let (a, b) = (s.load_some(first), s.load_some(second));
                    let (cos, sin) = (s.load_some(cos), s.mul(s.load_some(sin), sign));
                    s.store_some(s.sub(s.mul(a, cos), s.mul(b, sin)), first);
                    s.store_some(s.add(s.mul(b, cos), s.mul(a, sin)), second);
                }
            }
        }
    }
}

/// How many numbers, whole rows of `width`, each of at most `threads` threads takes of so many in all.
fn share(numbers: usize, width: usize, threads: usize) -> usize {
    let width = width.max(1);
    width * (numbers / width).div_ceil(worth(threads, numbers)).max(1)
}

struct LayerNorm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    eps: f32,
    out: &'a mut [f32],
}

impl Kernel for LayerNorm<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.weight.len();
        for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let width = width as f32;
            let mean = total::<S, false>(s, x, 0.0) / width;
            let squares = total::<S, true>(s, x, mean);
            let mean = s.splat(mean);
            let inverse = s.splat(1.0 / (squares / width + self.eps).sqrt());
            for (at, (x, out)) in (0..).step_by(S::LANES).zip(x.chunks(S::LANES).zip(out.chunks_mut(S::LANES))) {
                let mut y = s.mul(s.sub(s.load_some(x), mean), inverse);
                y = s.mul(y, s.load_some(&self.weight[at..][..out.len()]));
                if let Some(bias) = self.bias {
                    y = s.add(y, s.load_some(&bias[at..][..out.len()]));
                }
                s.store_some(y, out);
            }
        }
    }
}

/// The sum of the distances of a row from `origin`, or of their squares. Four sums side by side, so that none waits for
/// the one before.
#[inline(always)]
fn total<S: Simd, const SQUARED: bool>(s: S, row: &[f32], origin: f32) -> f32 {
    let mut sums = [s.splat(0.0); 4];
    let mut fours = row.chunks_exact(4 * S::LANES);
    for four in &mut fours {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = add::<S, SQUARED>(s, *sum, s.sub(s.load(&four[i * S::LANES..]), s.splat(origin)));
        }
    }
    for rest in fours.remainder().chunks(S::LANES) {
        sums[0] = add::<S, SQUARED>(s, sums[0], s.sub(s.load_or(rest, origin), s.splat(origin)));
    }
    s.sum(s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3])))
}

#[inline(always)]
fn add<S: Simd, const SQUARED: bool>(s: S, sum: S::V, x: S::V) -> S::V {
    if SQUARED { s.mul_add(x, x, sum) } else { s.add(sum, x) }
}

struct RmsNorm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl Kernel for RmsNorm<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.weight.len();
        for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let squares = total::<S, true>(s, x, 0.0);
            let inverse = s.splat(1.0 / (squares / width as f32 + self.eps).sqrt());
            for ((x, weight), out) in x.chunks(S::LANES).zip(self.weight.chunks(S::LANES)).zip(out.chunks_mut(S::LANES))
            {
                s.store_some(s.mul(s.mul(s.load_some(x), inverse), s.load_some(weight)), out);
            }
        }
    }
}

struct Activate<'a> {
    x: &'a mut [f32],
    activation: Activation,
}

impl Kernel for Activate<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for x in self.x.chunks_mut(S::LANES) {
            s.store_some(activated(s, self.activation, s.load_some(x)), x);
        }
    }
}

struct Gated<'a> {
    x: &'a [f32],
    width: usize,
    activation: Activation,
    out: &'a mut [f32],
}

impl Kernel for Gated<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (x, out) in self.x.chunks_exact(2 * self.width).zip(self.out.chunks_exact_mut(self.width)) {
            let (gate, value) = x.split_at(self.width);
            for ((gate, value), out) in gate.chunks(S::LANES).zip(value.chunks(S::LANES)).zip(out.chunks_mut(S::LANES))
            {
                let gate = activated(s, self.activation, s.load_some(gate));
                s.store_some(s.mul(gate, s.load_some(value)), out);
            }
        }
    }
}
