//! Attention on an NVIDIA GPU as one launch for all sequences and heads, without padding: `attention.cu`.
//!
//! The kernel takes what needs no gradient.

#[cfg(feature = "cuda")]
mod launch;
mod made_up;
mod operands;
#[cfg(test)]
mod tests;
#[cfg(feature = "cuda")]
mod trial;

#[cfg(feature = "cuda")]
pub(in super::super) use trial::verdict;
