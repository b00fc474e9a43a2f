//! Attention on an NVIDIA GPU as one launch for all sequences and heads, without padding: `attention.cu`.
//!
//! The kernel takes what needs no gradient. It was never seen on a GPU: [`verdict`] tries it on each GPU and type
//! first, and where it fails attention stays with candle's operations.

#[cfg(feature = "cuda")]
mod launch;
mod made_up;
mod operands;
#[cfg(test)]
mod tests;
#[cfg(feature = "cuda")]
mod trial;

#[cfg(feature = "cuda")]
pub(crate) use trial::verdict;
