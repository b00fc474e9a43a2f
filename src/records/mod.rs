//! What is classified: texts, their candidate labels, and where they come from.

use std::path::Path;
use std::sync::Arc;

pub mod csv;
mod distinct;
pub mod input;
pub mod jsonl;
pub mod labelled;
pub mod labels;
pub mod names;
pub mod output;
#[cfg(feature = "parquet")]
pub mod parquet;
mod rows;
pub mod shard;
mod unicode;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use sha2::Sha256;

use crate::error::{Error, Result};

pub use labels::LabelSet;

/// Bytes of the longest record: of more a file is not what it is taken for.
pub(crate) const LONGEST: u64 = 1 << 30;

/// What is said of a file that is taken for Parquet and is none.
const NO_PARQUET: &str =
    "is not a Parquet file: it does not begin with PAR1; rename it to what it is, such as .jsonl or .csv";

/// Whether a file begins as all Parquet files do, those with encrypted footers too.
fn begins_as_parquet(start: &[u8]) -> bool {
    start.starts_with(b"PAR1") || start.starts_with(b"PARE")
}

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

/// A point between two records of an input: the next one begins here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, Deserialize)]
pub struct Place {
    /// The line, or the row, from 1.
    pub line: u64,
    /// The byte, from 0, of the input as it is once unpacked; of Parquet the row.
    pub byte: u64,
}

impl Place {
    /// Where an input begins.
    pub const START: Self = Self { line: 1, byte: 0 };
}

/// What was read at one place of the input.
pub trait Raw: Send + 'static {
    /// Where it begins.
    fn begin(&self) -> Place;
    /// Where the next one begins.
    fn end(&self) -> Place;
    /// How much of the input it is, in what places are counted in.
    fn size(&self) -> u64 {
        self.end().byte.saturating_sub(self.begin().byte)
    }
    /// Adds all it holds to a fingerprint.
    fn fingerprint(&self, hash: &mut Sha256);
}

/// The records of an input, which can be taken up in the middle.
pub trait Source: Iterator<Item = Result<Entry<Self::Raw>>> + Send + 'static {
    /// What is read at each place.
    type Raw: Raw;

    /// What the input is called in messages.
    fn name(&self) -> &Path;

    /// Reads what comes next without looking for a record in it; none at the end.
    ///
    /// # Errors
    /// The input cannot be read.
    fn pass_over(&mut self) -> Result<Option<Self::Raw>>;

    /// Whether nothing more comes. Waits for it.
    ///
    /// # Errors
    /// The input cannot be read.
    fn is_at_end(&mut self) -> Result<bool>;

    /// Whether [`Source::seek`] works.
    fn is_seekable(&self) -> bool;

    /// Goes on at `place`, which must lie between two records.
    ///
    /// # Errors
    /// The input cannot be read there.
    fn seek(&mut self, place: Place) -> Result<()>;

    /// Goes on at the first record that begins at `byte` or after it.
    ///
    /// # Errors
    /// The input cannot be read.
    fn seek_record(&mut self, byte: u64) -> Result<()>;
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

/// Which fields or columns of a record say what.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The one that holds the text.
    pub text_field: String,
    /// What holds where a record says nothing.
    pub defaults: Defaults,
}

fn no_labels() -> Error {
    Error::Record("no labels: give --labels, or the record a field \"labels\"".into())
}

/// A few-shot example.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Example {
    /// The example's text.
    pub text: String,
    /// Its true labels.
    #[serde(flatten, deserialize_with = "labels_of_example")]
    pub labels: Vec<String>,
}

/// The labels of an example, whose field may have either name; where there are both, the reference takes the first.
fn labels_of_example<'de, D: Deserializer<'de>>(example: D) -> std::result::Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    struct Labels {
        labels: Option<Vec<String>>,
        true_labels: Option<Vec<String>>,
    }
    let Labels { labels, true_labels } = Labels::deserialize(example)?;
    labels.or(true_labels).ok_or_else(|| D::Error::missing_field("labels"))
}

/// A retrieval-augmented example.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RacExample {
    /// The example's text.
    pub text: String,
    /// All its candidate labels.
    pub all_labels: Vec<String>,
    /// Those of them that are true.
    pub true_labels: Vec<String>,
}

/// How many of these examples have no true label: they are left out of every text.
pub fn left_out(examples: &[RacExample]) -> usize {
    examples.iter().filter(|example| example.true_labels.is_empty()).count()
}
