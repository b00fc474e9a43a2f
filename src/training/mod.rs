//! Fine-tuning.

pub mod augment;
pub mod examples;
pub mod findings;
