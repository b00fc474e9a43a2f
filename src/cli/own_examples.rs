//! Solved cases that records bring themselves, and that are left out for want of a true label.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Result;
use crate::records::{Defaults, Entry, RacExample, left_out};

/// Counts those of the records' own solved cases that are left out.
#[derive(Debug, Clone)]
pub struct OwnExamples {
    /// Those of the run, for records without any of their own: they are counted when they are read.
    of_run: Arc<[RacExample]>,
    left_out: Arc<AtomicUsize>,
}

impl OwnExamples {
    /// None yet, in a run where a record without its own has those of `defaults`.
    pub fn new(defaults: &Defaults) -> Self {
        Self { of_run: Arc::clone(&defaults.rac_examples), left_out: Arc::default() }
    }

    /// The same entries, whose records are counted as they come.
    pub fn counted<R, I>(&self, entries: I) -> impl Iterator<Item = I::Item> + use<R, I>
    where
        I: Iterator<Item = Result<Entry<R>>>,
    {
        let counter = self.clone();
        entries.inspect(move |entry| {
            if let Ok(Entry { record: Ok(record), .. }) = entry {
                counter.count(&record.rac_examples);
            }
        })
    }

    /// Counts the solved cases of one record.
    pub fn count(&self, examples: &Arc<[RacExample]>) {
        if !Arc::ptr_eq(&self.of_run, examples) {
            self.left_out.fetch_add(left_out(examples), Ordering::Relaxed);
        }
    }

    /// Says how many were left out, if any were.
    pub fn tell(&self, say: impl FnOnce(&str)) {
        let count = self.left_out.load(Ordering::Relaxed);
        if count > 0 {
            let examples = if count == 1 { "1 example" } else { &format!("{count} examples") };
            say(&format!("warning: {examples} without a true label in \"rac_examples\" of records: left out"));
        }
    }
}
