//! The file of `--predictions`: every record with what was said of it, as `batch` writes it.

use serde_json::Value;

use crate::cli::terminal::unless_closed;
use crate::error::Result;
use crate::records::jsonl::Line;
use crate::records::labelled::{Labelled, TRUE_LABELS};
use crate::records::names::{ERROR, PREDICTIONS, TRUNCATED};
use crate::records::output::{Output, Sheet};

/// The file of `--predictions`. Where it is standard output and nobody reads it any more, records are judged all the
/// same: a figure may be below its minimum.
pub struct Predictions(Sheet);

impl Predictions {
    /// Begins the file; one that is there stays until this one is whole, as a part would be taken for all records.
    pub fn begin(output: Output) -> Result<Self> {
        output.begin_anew().map(Self)
    }

    /// Writes a record with its `predictions`, which are JSON; with its true labels by name where they cannot
    /// be read from it.
    pub fn write(&mut self, labelled: &Labelled, predictions: String, truncated: bool) -> Result<()> {
        let mut fields = Vec::new();
        if labelled.restate {
            fields.push((TRUE_LABELS, Value::from(labelled.truth.as_slice()).to_string()));
        }
        fields.push((PREDICTIONS, predictions));
        fields.extend(truncated.then(|| (TRUNCATED, "true".into())));
        unless_closed(self.0.write(|out| {
            _ = Line::of_object(labelled.source.clone()).write(&fields, &[PREDICTIONS, ERROR, TRUNCATED], out);
        }))
    }

    /// Ends the file, of which nothing stays unless it `is_whole`. A stream has what came so far.
    pub fn end(mut self, is_whole: bool) -> Result<()> {
        unless_closed(self.0.finish())?;
        if is_whole { self.0.take_place() } else { Ok(()) }
    }
}
