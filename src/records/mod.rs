//! What is classified: texts, their candidate labels, and where they come from.

use std::sync::Arc;

pub mod labels;

pub use labels::LabelSet;

/// One text to classify, with its candidate labels and what is said beside it.
#[derive(Debug, Clone)]
pub struct Record {
    /// The text.
    pub text: String,
    /// The candidate labels.
    pub labels: Arc<LabelSet>,
    /// Task description, set before the text.
    pub prompt: Option<Arc<str>>,
    /// Few-shot examples.
    pub examples: Arc<[Example]>,
    /// Retrieval-augmented examples, written into the text.
    pub rac_examples: Arc<[RacExample]>,
}

/// A few-shot example.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Example {
    /// The example's text.
    pub text: String,
    /// Its true labels.
    #[serde(alias = "true_labels")]
    pub labels: Vec<String>,
}

/// A retrieval-augmented example.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct RacExample {
    /// The example's text.
    pub text: String,
    /// All its candidate labels.
    #[serde(default)]
    pub all_labels: Vec<String>,
    /// Those of them that are true.
    #[serde(default)]
    pub true_labels: Vec<String>,
}
