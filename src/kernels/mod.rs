//! The hot path on a processor: dense layers, norms and attention over packed rows of `f32`.
//!
//! A row's result is the same to the last bit whatever the number of rows, its place among them,
//! the threads or its neighbours: every element is summed over the inner dimension in one order.
//! Wrong lengths of slices are mistakes of the caller and panic; values never do.

mod attention;
mod gemm;

pub use attention::{AttentionShape, Bias, Disentangled, DistanceTable, PositionTable, Rows, attention};
pub use gemm::{PackedMatrix, linear};

/// What a dense layer applies to each element after its bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// `x * (1 + erf(x / sqrt 2)) / 2`.
    Gelu,
    /// The approximation of [`Activation::Gelu`] through `tanh`.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
    /// `x * sigmoid(x)`.
    Silu,
    /// `tanh(x)`.
    Tanh,
}

/// A set of instructions the kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Plain Rust.
    Portable,
}

impl Isa {
    /// The name that `GLICLASS_KERNEL` takes.
    pub fn name(self) -> &'static str {
        "portable"
    }
}

/// The instruction set in use: the best this machine has, or the one named by `GLICLASS_KERNEL`.
///
/// # Errors
/// A message that lists the names this machine takes, when the variable holds another one.
pub fn isa() -> Result<Isa, String> {
    Ok(Isa::Portable)
}

/// Normalises each row of `x (rows, width)` to mean 0 and variance 1 (biased), then scales by
/// `weight (width)` and shifts by `bias (width)`, into `out (rows, width)`.
pub fn layer_norm(x: &[f32], width: usize, weight: Option<&[f32]>, bias: Option<&[f32]>, eps: f32, out: &mut [f32]) {
    assert_eq!(x.len(), out.len());
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let mean = x.iter().sum::<f32>() / width as f32;
        let variance = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / width as f32;
        let inverse = 1.0 / (variance + eps).sqrt();
        for i in 0..width {
            out[i] = (x[i] - mean) * inverse * weight.map_or(1.0, |w| w[i]) + bias.map_or(0.0, |b| b[i]);
        }
    }
}

/// Applies `activation` to every element of `x`.
pub fn activate(x: &mut [f32], activation: Activation) {
    for v in x {
        *v = activated(*v, activation);
    }
}

/// Gated unit: `out (rows, width)` is `activation(first half) * second half` of `x (rows, 2 * width)`.
pub fn gated(x: &[f32], width: usize, activation: Activation, out: &mut [f32]) {
    assert_eq!(x.len(), 2 * out.len());
    for (x, out) in x.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)) {
        for i in 0..width {
            out[i] = activated(x[i], activation) * x[width + i];
        }
    }
}

fn activated(x: f32, activation: Activation) -> f32 {
    match activation {
        Activation::None => x,
        Activation::Gelu => 0.5 * x * (1.0 + (x * 0.797_884_6 * (1.0 + 0.044_715 * x * x)).tanh()),
        Activation::GeluTanh => 0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044_715 * x * x * x)).tanh()),
        Activation::Relu => x.max(0.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
    }
}
