//! What is classified: texts, their candidate labels, and where they come from.

use std::sync::Arc;

pub mod csv;
pub mod jsonl;
pub mod labelled;
pub mod labels;

use crate::error::{Error, Result};

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

/// One place of the input: what was read there, and the record it holds.
#[derive(Debug)]
pub struct Entry<R> {
    /// What was read, to be written back.
    pub raw: R,
    /// How much memory it takes, in bytes.
    pub bytes: usize,
    /// The record, or why there is none.
    pub record: Result<Record>,
}

/// What the command line says about every record; a record's own fields come first.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// The candidate labels, if there are any for all.
    pub labels: Option<Arc<LabelSet>>,
    /// Joins the levels of a hierarchy of labels.
    pub label_separator: String,
    /// Task description.
    pub prompt: Option<Arc<str>>,
    /// Few-shot examples.
    pub examples: Arc<[Example]>,
    /// Retrieval-augmented examples.
    pub rac_examples: Arc<[RacExample]>,
}

impl Defaults {
    /// A record of `text` with nothing of its own.
    ///
    /// # Errors
    /// There are no labels for all.
    pub fn record(&self, text: String) -> Result<Record> {
        Ok(Record {
            text,
            labels: self.labels.clone().ok_or_else(no_labels)?,
            prompt: self.prompt.clone(),
            examples: self.examples.clone(),
            rac_examples: self.rac_examples.clone(),
        })
    }
}

fn no_labels() -> Error {
    Error::Record("no labels: give --labels, or the record a field \"labels\"".into())
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
