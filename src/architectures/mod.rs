//! Encoded records -> logits, one file for each way of reading labels and text.

pub mod uni_encoder;

pub use uni_encoder::UniEncoder;
