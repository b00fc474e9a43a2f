//! The files of a checkpoint: what its config says, and its tensors by name.

pub mod config;
pub mod learning;
pub mod weights;

pub use config::Config;
pub use learning::Learning;
pub use weights::Weights;
