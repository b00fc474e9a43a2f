//! Figures for `eval`: what was true and what was predicted in, how good it was out.
//!
//! Knows no model and no file: pure functions over [`Outcome`]s. One file a concern: [`report`] counts,
//! [`layout`] prints.

pub mod layout;
pub mod report;

use std::collections::BTreeSet;

pub use layout::Layout;
pub use report::Report;

/// What is true of one record, and what was said of it; labels by their place in the list of names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The labels that are true.
    pub truth: BTreeSet<usize>,
    /// The labels that were predicted.
    pub predicted: BTreeSet<usize>,
}
