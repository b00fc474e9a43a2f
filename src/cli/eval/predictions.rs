//! The file of `--predictions`: every record with what was said of it, as `batch` writes it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::records::jsonl::Line;
use crate::records::labelled::Labelled;

/// The file of `--predictions`.
pub struct Predictions {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Predictions {
    /// Begins the file.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|error| Error::io(path, error))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file) })
    }

    /// Writes a record with its `predictions`, which are JSON; with its true labels by name where they cannot
    /// be read from it.
    pub fn write(&mut self, labelled: &Labelled, predictions: String, truncated: bool) -> Result<()> {
        let mut fields = Vec::new();
        if labelled.restate {
            fields.push(("true_labels", Value::from(labelled.truth.as_slice()).to_string()));
        }
        fields.push(("predictions", predictions));
        if truncated {
            fields.push(("truncated", "true".into()));
        }
        let mut line = Vec::new();
        Line::of_object(labelled.source.clone()).write(&fields, &[], &mut line);
        self.file.write_all(&line).map_err(|error| Error::io(&self.path, error))
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<()> {
        self.file.flush().map_err(|error| Error::io(&self.path, error))
    }
}
