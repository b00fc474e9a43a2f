//! Damaged input of every kind: an error that says so, or an answer, but never a panic.
//!
//! Each target takes good files (those in this module, and the checkpoints of `tests/fixtures`) and damages them
//! at random: in their bytes, and, where they are JSON, in what they say. Some hundred cases run with the other
//! tests; more with `PROPTEST_CASES`, as `SECURITY.md` says. A case that fails is kept in
//! `tests/proptest-regressions` and tried first from then on.

use std::sync::Arc;

use gliclass::records::{Defaults, LabelSet};

mod damage;
mod models;
mod records;

fn defaults() -> Defaults {
    let labels = Some(Arc::new(LabelSet::flat(vec!["a".into()]).unwrap()));
    Defaults { labels, label_separator: ".".into(), ..Defaults::default() }
}
