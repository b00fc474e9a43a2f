//! The hot path on a processor: dense layers, norms and attention over packed rows of `f32`.
//!
//! A row's result is the same to the last bit whatever the number of rows, its place among them,
//! the threads or its neighbours: every element is summed over the inner dimension in one order.
//! Wrong lengths of slices are mistakes of the caller and panic; values never do.
//!
//! Kernels are written once over the vector operations in `simd` and compiled for each instruction set. Only the files of
//! the instruction sets, the helping threads and the call to the allocator are `unsafe`.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod attention;
mod attention_gradient;
mod dense;
mod dot;
mod factors;
mod gemm;
mod gradients;
mod isa;
mod mask;
mod math;
mod memory;
pub mod meter;
mod pack;
mod part;
mod portable;
mod position_table;
mod positions;
mod precision;
mod rows;
mod simd;
mod softmax;
mod team;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use attention::{AttentionShape, Bias, Disentangled, Rows, attention};
pub use attention_gradient::{Heads, attention_gradient, attention_learning};
pub use dense::{PackedMatrix, arithmetic, linear};
pub use dot::row_products;
pub use gradients::{activation_gradient, column_sums, layer_norm_gradient, rms_norm_gradient, transposed_product};
pub use isa::{Isa, enabled, isa};
pub use mask::Mask;
pub use memory::keep_pages;
pub use position_table::PositionTable;
pub use positions::DistanceTable;
pub use precision::Precision;
pub use rows::{Rotation, activate, gated, layer_norm, rms_norm, rotate};
use team::parallel;

/// What a dense layer applies to each element after its bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// `x * (1 + erf(x / sqrt 2)) / 2`, with `erf` within 2.5e-7.
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
