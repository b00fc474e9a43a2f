//! The form of a file of records.

use std::fmt;
use std::path::Path;

use anyhow::bail;
use clap::ValueEnum;

use crate::records::labelled::Form;

/// The form of a file of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object per line
    Jsonl,
    /// Comma-separated, with a header
    Csv,
    /// Tab-separated, with a header
    Tsv,
    /// Columns, in row groups
    Parquet,
}

impl Format {
    /// By the ending of the name, in front of that of an archive.
    pub fn of(path: &Path) -> Option<Self> {
        match Form::of_name(path)? {
            Form::JsonLines => Some(Self::Jsonl),
            Form::Csv => Some(Self::Csv),
            Form::Tsv => Some(Self::Tsv),
            Form::Parquet => Some(Self::Parquet),
            // What is called .json may be lines as well.
            Form::JsonArray | Form::FastText => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jsonl => "JSONL",
            Self::Csv => "CSV",
            Self::Tsv => "TSV",
            Self::Parquet => "Parquet",
        })
    }
}

/// Checks that the file of `option`, which must hold JSON lines, is not named like another form.
///
/// # Errors
/// It is.
pub fn check_jsonl(option: &str, path: &Path) -> anyhow::Result<()> {
    match Format::of(path) {
        Some(other) if other != Format::Jsonl => {
            bail!(
                "{option} {}: ends like {other}, but must be JSONL, one object per line: name another file",
                path.display()
            )
        }
        _ => Ok(()),
    }
}
