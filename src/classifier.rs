//! What the runner needs of a model, and nothing more.

use std::sync::Arc;

use crate::error::Result;
use crate::records::{LabelSet, Record};

/// One record as tokens, ready for the model.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// Token ids of the text, and of all that is read with it in one sequence.
    pub tokens: Vec<u32>,
    /// Token ids of the labels, where the model reads them as a sequence of their own; else none.
    pub label_tokens: Vec<u32>,
    /// The candidate labels, in the order of the logits.
    pub labels: Arc<LabelSet>,
    /// Whether the text was cut to fit.
    pub truncated: bool,
    /// The pieces that are read one by one, where the record is more than one; it then has no tokens of its own.
    pub pieces: Vec<Encoded>,
}

impl Encoded {
    /// A record in one piece.
    pub fn new(tokens: Vec<u32>, label_tokens: Vec<u32>, labels: &Arc<LabelSet>, truncated: bool) -> Self {
        Self { tokens, label_tokens, labels: Arc::clone(labels), truncated, pieces: Vec::new() }
    }

    /// How many tokens are read: what the record costs.
    pub fn cost(&self) -> usize {
        self.tokens.len() + self.label_tokens.len() + self.pieces.iter().map(Self::cost).sum::<usize>()
    }
}

/// A model as the runner sees it: records become tokens one at a time, tokens become logits in batches.
///
/// The logits of a record do not depend on its neighbours in a batch: on the kernels to the last bit.
pub trait Classifier: Sync {
    /// Writes the model's input for one record and cuts it into tokens.
    ///
    /// # Errors
    /// The labels alone do not fit the model.
    fn encode(&self, record: &Record) -> Result<Encoded>;

    /// Tokens of a batch, where the device is busy only with more than a processor is.
    fn batch_tokens(&self) -> Option<usize> {
        None
    }

    /// One logit for each label of each record, in order. Runs on the calling thread when the batch
    /// is one of many; `threads` says how many threads it may use.
    ///
    /// # Errors
    /// The computation failed.
    fn logits(&self, batch: &[Encoded], threads: usize) -> Result<Vec<Vec<f32>>>;
}
