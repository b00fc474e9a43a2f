//! Zero-shot text classification with GLiClass models.
//!
//! The way of the data, one type for each stage:
//!
//! ```text
//! Record  -> Prompt -> Tokens -> Encoded    -> Logits        -> Classified -> Prediction
//! records    encode    encode    classifier    architectures    runner        scores
//! ```
//!
//! Imports run one way, from the left to the right (`tests/integration/imports.rs` has the whole table):
//!
//! ```text
//! cli -> training -> model -> architectures -> heads -> backbones -> checkpoint, kernels
//! cli, training -> adapted, runner, metrics
//! cli, training, model, architectures, adapted, runner -> encode, scores, classifier -> records
//! ```
//!
//! `files`, `display`, `digest`, `panics` and [`error`] serve all of them; nobody knows `cli`.

pub mod adapted;
pub mod architectures;
pub mod backbones;
pub mod checkpoint;
pub mod classifier;
pub mod cli;
pub mod digest;
pub mod display;
pub mod encode;
pub mod error;
pub mod files;
pub mod heads;
pub mod kernels;
pub mod metrics;
pub mod model;
pub mod panics;
pub mod records;
pub mod runner;
pub mod scores;
pub mod training;

pub use error::{Error, Result};
