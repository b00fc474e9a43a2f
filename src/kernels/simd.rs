//! The few vector operations that every kernel is written with.

/// A set of vector instructions. A value of the type is the proof that the machine has them.
pub(super) trait Simd: Copy {
    /// `LANES` numbers.
    type V: Copy;
    /// Numbers in a vector.
    const LANES: usize;
    /// Rows of the largest tile of a product whose sums, `TILE_ROWS` by two vectors, stay in registers.
    const TILE_ROWS: usize;

    /// Runs a kernel compiled for these instructions.
    fn run<K: Kernel>(self, kernel: K);

    fn splat(self, x: f32) -> Self::V;
    /// The first `LANES` numbers of `from`, which has as many.
    fn load(self, from: &[f32]) -> Self::V;
    /// Fills the first `LANES` numbers of `to`, which has as many.
    fn store(self, x: Self::V, to: &mut [f32]);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The greater; `b` where one is not a number.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller; `b` where one is not a number.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `then` where `a < b`, elsewhere `otherwise`.
    fn less(self, a: Self::V, b: Self::V, then: Self::V, otherwise: Self::V) -> Self::V;
    /// The last 8 bits of each number as the exponent of another: `2^(bits - 127)`, 0 for 0, infinity for 255. The bit
    /// before them is 0.
    fn exponent(self, bits: Self::V) -> Self::V;

    /// Turns a square of `LANES` by `LANES` numbers a quarter to the left: the last numbers of the rows of `from`, which
    /// are `stride` apart, become the first row of `to`.
    #[inline(always)]
    fn turn(self, from: &[f32], stride: usize, to: &mut [f32]) {
        for (row, to) in to.chunks_exact_mut(Self::LANES).take(Self::LANES).enumerate() {
            let from = from[Self::LANES - 1 - row..].iter().step_by(stride);
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        }
    }

    /// [`Simd::load`] of up to `LANES` numbers, the rest 0.
    #[inline(always)]
    fn load_some(self, from: &[f32]) -> Self::V {
        self.load_or(from, 0.0)
    }

    /// [`Simd::load`] of up to `LANES` numbers, the rest `other`.
    #[inline(always)]
    fn load_or(self, from: &[f32], other: f32) -> Self::V {
        if from.len() >= Self::LANES {
            return self.load(from);
        }
        let mut lanes = [other; MAX_LANES];
        lanes[..from.len()].copy_from_slice(from);
        self.load(&lanes)
    }

    /// [`Simd::store`] of up to `LANES` numbers.
    #[inline(always)]
    fn store_some(self, x: Self::V, to: &mut [f32]) {
        if to.len() >= Self::LANES {
            return self.store(x, to);
        }
        let mut lanes = [0.0; MAX_LANES];
        self.store(x, &mut lanes);
        to.copy_from_slice(&lanes[..to.len()]);
    }

    /// The greatest lane; one that is not a number may be passed over.
    #[inline(always)]
    fn maximum(self, x: Self::V) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; MAX_LANES];
        self.store(x, &mut lanes);
        lanes.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b))
    }

    /// The sum of the lanes, by halves.
    #[inline(always)]
    fn sum(self, x: Self::V) -> f32 {
        let mut lanes = [0.0; MAX_LANES];
        self.store(x, &mut lanes);
        let mut half = Self::LANES / 2;
        while half > 0 {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
            half /= 2;
        }
        lanes[0]
    }
}

/// Defines operations of a proof of instructions, each by what is done in registers alone.
macro_rules! in_registers {
    ($($name:ident($($of:ident: $type:ty),*) -> $result:ty = $call:expr;)+) => {$(
        #[inline(always)]
        fn $name(self, $($of: $type),*) -> $result {
            // SAFETY: `self` proves that this machine has the instructions; they touch no memory.
            unsafe { $call }
        }
    )+};
}
pub(super) use in_registers;

/// [`in_registers`] of a [`Simd`], from vectors to a vector.
macro_rules! lanewise {
    ($($name:ident($($of:ident),+) = $call:expr;)+) => {
        in_registers! {$($name($($of: Self::V),+) -> Self::V = $call;)+}
    };
}
pub(super) use lanewise;

/// More lanes no vector has.
pub(super) const MAX_LANES: usize = 16;

/// Work written once for all instruction sets. Its code must be `#[inline(always)]`, so that it is
/// compiled with the instructions of the caller.
pub(super) trait Kernel {
    fn run<S: Simd>(self, simd: S);
}
