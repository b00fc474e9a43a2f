//! Hidden states -> logits: what stands between a backbone and the scores, once for all architectures.

pub mod calibrator;
pub mod head;
pub mod layer_attention;
pub mod lstm;
pub mod mlp;
pub mod reasoning;
pub mod scorer;

pub use calibrator::Calibrator;
pub use head::Head;
pub use layer_attention::LayerAttention;
pub use lstm::Lstm;
pub use mlp::Mlp;
pub use reasoning::ReasoningCell;
pub use scorer::Scorer;
