//! Which form labelled data is in.

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::records::input::Packing;

/// A form of labelled data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object a line.
    JsonLines,
    /// One JSON array of objects, the form GLiClass is trained with.
    JsonArray,
    /// Parquet, which is read as one JSON object a row.
    Parquet,
    /// Comma-separated values under a header.
    Csv,
    /// Tab-separated values under a header.
    Tsv,
    /// `__label__a __label__b text` lines, the form of fastText.
    FastText,
}

impl Form {
    /// The form of the file `name` with this text: its ending tells, else its first line.
    ///
    /// # Errors
    /// Neither does.
    pub fn detect(name: &str, text: &str) -> Result<Self> {
        match Self::of_name(Path::new(name)) {
            // JSON lines are often named .json, and an array .jsonl; no line of them begins as an array does.
            Some(Self::JsonArray | Self::JsonLines) => {
                Ok(if text.trim_start().starts_with('[') { Self::JsonArray } else { Self::JsonLines })
            }
            Some(form) => Ok(form),
            None => Self::of_content(text.trim_start()),
        }
    }

    /// The form that the name of a file says, by its ending or the one in front of that of an archive.
    pub fn of_name(name: &Path) -> Option<Self> {
        let name = if Packing::of(name).is_some() { name.file_stem()?.as_ref() } else { name };
        let ending = name.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "json" => Some(Self::JsonArray),
            "parquet" | "pq" => Some(Self::Parquet),
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            _ => None,
        }
    }

    fn of_content(text: &str) -> Result<Self> {
        let first = text.lines().next().unwrap_or_default();
        match first {
            "" => Err(super::nothing_in_it()),
            line if line.starts_with('[') => Ok(Self::JsonArray),
            line if line.starts_with('{') => Ok(Self::JsonLines),
            line if line.starts_with(super::fasttext::PREFIX) => Ok(Self::FastText),
            line if line.contains('\t') => Ok(Self::Tsv),
            line if line.contains(',') => Ok(Self::Csv),
            _ => Err(Error::Record(
                "cannot tell the form: give JSON lines, a JSON array, Parquet, CSV or TSV with a header, or lines \
                 that begin with __label__"
                    .into(),
            )),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JsonLines => "JSON lines",
            Self::JsonArray => "a JSON array",
            Self::Parquet => "Parquet",
            Self::Csv => "CSV",
            Self::Tsv => "TSV",
            Self::FastText => "fastText lines",
        })
    }
}
