//! How exactly products are made.

/// How exactly a dense layer multiplies. Sums are always f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Factors in f32.
    F32,
    /// Factors of 16 bits, as a high and a low bfloat16, where there is a unit that multiplies tiles; else
    /// [`Precision::F32`]. Errors are about 2^-17 of a product: where rounding is magnified, that shows.
    #[default]
    Split,
    /// Factors of 16 bits where the processor is faster that way: bfloat16, which has 8 bits for its digits, or whole numbers
    /// of 13 and 14 bits with a step for each 64 numbers; else [`Precision::F32`].
    Bf16,
    /// Factors of 8 bits, as bytes with a step for each 64 numbers, where the processor is fastest that way; else
    /// [`Precision::Bf16`]. Errors are about a 500th of the range of the 64 numbers.
    Int8,
}
