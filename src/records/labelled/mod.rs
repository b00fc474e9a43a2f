//! Labelled records for `eval`: a text and the labels that are true of it, in the forms that people keep them in.
//!
//! A reader of one form turns text into `Found` records; here their labels are checked and named.

mod fasttext;
mod form;
mod json;
#[cfg(feature = "parquet")]
mod parquet;
mod ready;
mod table;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::records::labels::EMPTY_LABEL;
use crate::records::names::PREDICTED_SCORES;
use crate::records::unicode::{line_at, utf8};
use crate::records::{Defaults, Example, LabelSet, NO_PARQUET, RacExample, Record, begins_as_parquet};

pub use form::Form;
pub use ready::{Listed, Place, Ready, ReadyRecord, align};

/// What the reader is told about the data.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The field or column with the text.
    pub text_field: String,
    /// The field or column with the true labels; without it, `true_labels` or `label`.
    pub label_field: Option<String>,
    /// Stands between the labels of a table's cell.
    pub list_separator: String,
    /// Joins the levels of a hierarchy of labels in `all_labels`.
    pub label_separator: String,
    /// The candidate labels of all records. They come before a record's own.
    pub labels: Option<Arc<LabelSet>>,
    /// Whether records are to be written back: else columns that say nothing here are not read, and no
    /// [`Labelled::source`] is kept.
    pub whole: bool,
}

impl Layout {
    /// The `source` of a record, where it is to be written back; else nothing.
    fn source(&self, source: impl FnOnce() -> String) -> String {
        if self.whole { source() } else { String::new() }
    }
}

/// The weight of a label of which it is not known whether it is true: nothing is learned of it, and nothing judged.
pub const IGNORED: f32 = -100.0;

/// What is said of a record of which nothing can be judged.
const ALL_IGNORED: &str = "every label has the weight -100, which leaves it out: remove the record";

/// The field with the true labels, by name.
pub const TRUE_LABELS: &str = "true_labels";
/// The fields with the true labels, where none is named: the first that is there.
const LABEL_FIELDS: [&str; 2] = [TRUE_LABELS, "label"];
/// The fields with a record's own candidate labels: the first that is there and does not hold the true ones.
const CANDIDATES_FIELDS: [&str; 2] = ["all_labels", "labels"];
/// The fields of [`Own`].
const OWN_FIELDS: [&str; 3] = ["prompt", "examples", "rac_examples"];

/// Labelled records of one file.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The file.
    pub name: String,
    /// The form they were read in.
    pub form: Form,
    /// Where the true labels were found.
    pub truth: String,
    /// Every candidate label of any record, in order of first appearance.
    pub labels: Vec<String>,
    /// The records, never none.
    pub records: Vec<Labelled>,
}

/// Where a record begins in its file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// On this line.
    Line(usize),
    /// It is this row of a table that has no lines.
    Row(usize),
    /// It is this one of the records, of which several are on one line.
    Record(usize),
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Row(number) => write!(f, "row {number}"),
            Self::Record(number) => write!(f, "record {number}"),
        }
    }
}

/// A text with its candidate labels, and those of them that are true.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// Where it begins.
    pub spot: Spot,
    /// The text.
    pub text: String,
    /// The candidate labels.
    pub labels: Arc<LabelSet>,
    /// The true labels, each one of the candidates.
    pub truth: Vec<String>,
    /// How true each label is, of those that the record gives a weight: each one of the candidates.
    pub weights: Vec<(String, f32)>,
    /// What it says beside the text.
    pub own: Own,
    /// The record as a JSON object on one line; empty unless [`Layout::whole`] asks for it.
    pub source: String,
    /// Whether the true labels cannot be read from `source` as they are, and go into [`TRUE_LABELS`] beside it.
    pub restate: bool,
}

/// What a record itself says beside its text; it comes before what the command says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Own {
    /// Task description.
    pub prompt: Option<Arc<str>>,
    /// Few-shot examples.
    pub examples: Option<Arc<[Example]>>,
    /// Retrieval-augmented examples.
    pub rac_examples: Option<Arc<[RacExample]>>,
}

impl Labelled {
    /// The candidates of which it is not known whether they are true.
    pub fn ignored(&self) -> impl Iterator<Item = &String> {
        self.weights.iter().filter(|(_, weight)| *weight == IGNORED).map(|(label, _)| label)
    }

    /// What is asked of a model.
    pub fn record(&self, defaults: &Defaults) -> Record {
        Record {
            text: self.text.clone(),
            labels: self.labels.clone(),
            prompt: self.own.prompt.clone().or_else(|| defaults.prompt.clone()),
            examples: self.own.examples.clone().unwrap_or_else(|| defaults.examples.clone()),
            rac_examples: self.own.rac_examples.clone().unwrap_or_else(|| defaults.rac_examples.clone()),
        }
    }
}

/// Reads the labelled records of the file `name`, to judge them.
///
/// # Errors
/// The form cannot be told, there are no records, or one of them cannot be used: the message names
/// the file, the line and the field.
pub fn read(name: &str, bytes: Vec<u8>, layout: &Layout) -> Result<Dataset> {
    let (data, unusable) = read_usable(name, bytes, layout)?;
    if let Some(first) = unusable.into_iter().next() {
        return Err(Error::Record(format!("{name}: {}", first.message)));
    }
    match data.records.iter().find(|record| record.ignored().count() == record.labels.len()) {
        Some(record) => Err(Error::Record(format!("{name}: {}", flaw(record.spot, Some(&data.truth), ALL_IGNORED)))),
        None => Ok(data),
    }
}

/// A record that cannot be used, though it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// What is wrong with it.
    pub fault: Fault,
    /// The same in words, with the line and the field.
    pub message: String,
}

/// What is wrong with the labels of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There are no candidates, one is empty, or one is given twice.
    Candidates,
    /// A true label is not among the candidates.
    Unknown,
}

/// Reads the labelled records of the file `name`, and those that cannot be used for their labels apart from them.
///
/// # Errors
/// As [`read`], but for the labels of single records; or no record can be used.
pub fn read_usable(name: &str, bytes: Vec<u8>, layout: &Layout) -> Result<(Dataset, Vec<Unusable>)> {
    read_unnamed(name, bytes, layout).map_err(|error| Error::Record(format!("{name}: {error}")))
}

fn read_unnamed(name: &str, bytes: Vec<u8>, layout: &Layout) -> Result<(Dataset, Vec<Unusable>)> {
    let bytes = as_text(name, bytes, layout, None)?;
    let text = utf8(&bytes)?;
    let form = Form::detect(name, text)?;
    let found = match form {
        Form::JsonLines => json::read_lines(lines(text), layout),
        Form::Parquet => json::read_lines(rows(text), layout),
        Form::JsonArray => json::read_array(text, layout),
        Form::Csv => table::read(text, b',', layout),
        Form::Tsv => table::read(text, b'\t', layout),
        Form::FastText => fasttext::read(text, layout),
    }?;
    if found.is_empty() {
        return Err(Error::Record(format!("no records (read as {form})")));
    }
    let truth = found[0].truth.field.clone();
    let (mut records, mut unusable) = (Vec::new(), Vec::new());
    for record in resolve(found, layout)? {
        match record {
            Ok(record) => records.push(record),
            Err(record) => unusable.push(record),
        }
    }
    match unusable.first().filter(|_| records.is_empty()) {
        Some(first) => Err(Error::Record(first.message.clone())),
        None => Ok((Dataset { name: name.to_owned(), form, truth, labels: all_labels(&records), records }, unusable)),
    }
}

/// The file `name` as text; of Parquet its rows as JSON lines, with the texts, the labels and the predictions of
/// `output_field`, or without one what records say beside.
#[cfg_attr(not(feature = "parquet"), allow(unused_variables))]
fn as_text(name: &str, bytes: Vec<u8>, layout: &Layout, output_field: Option<&str>) -> Result<Vec<u8>> {
    if !begins_as_parquet(&bytes) {
        return match Form::of_name(name.as_ref()) {
            Some(Form::Parquet) => Err(Error::Record(NO_PARQUET.into())),
            _ => Ok(bytes),
        };
    }
    #[cfg(feature = "parquet")]
    return parquet::lines(bytes, layout, output_field).map(String::into_bytes);
    #[cfg(not(feature = "parquet"))]
    Err(Error::Record("this program was built without Parquet: build it with --features parquet".into()))
}

/// The lines of a text that are not blank, and where they are.
fn lines(text: &str) -> impl Iterator<Item = (Spot, &str)> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(number, line)| (Spot::Line(number), line))
}

/// The rows of Parquet as [`as_text`] gives them, and where they are.
fn rows(text: &str) -> impl Iterator<Item = (Spot, &str)> {
    (1..).map(Spot::Row).zip(text.lines())
}

/// Counts the lines of a text once, from one place in it to a later one.
struct Lines<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, offset: 0, line: 1 }
    }

    /// The number of the line, from 1, that holds the byte at `offset`, at or after the one asked for last.
    fn at(&mut self, offset: usize) -> usize {
        self.line += line_at(&self.text.as_bytes()[self.offset..], offset - self.offset) - 1;
        self.offset = offset;
        self.line
    }
}

/// A record as its reader found it; true labels not checked.
#[derive(Debug)]
struct Found {
    spot: Spot,
    text: String,
    candidates: Option<Result<LabelSet>>,
    truth: Truth,
    own: Own,
    source: String,
}

/// The true labels as they were written, and where.
#[derive(Debug)]
struct Truth {
    field: String,
    labels: Vec<Written>,
    /// Every label with its weight, where there are weights.
    weights: Vec<(String, f32)>,
    /// Whether they cannot be read from the record as it is kept.
    restate: bool,
}

impl Truth {
    /// The labels that are true or have a weight.
    fn names(&self) -> impl Iterator<Item = &String> {
        self.labels.iter().map(|label| &label.text).chain(self.weights.iter().map(|(label, _)| label))
    }
}

/// A true label as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    text: String,
    /// Whether it may be the number of a candidate: a number of JSON, or text of a form that knows no numbers.
    may_be_number: bool,
}

impl Written {
    /// A label that is called so.
    fn name(text: String) -> Self {
        Self { text, may_be_number: false }
    }

    /// A label that is called so, or has that number.
    fn name_or_number(text: String) -> Self {
        Self { text, may_be_number: true }
    }

    /// The candidate that it means, if it means one.
    fn among(&self, labels: &LabelSet) -> Option<String> {
        if labels.place_of(&self.text).is_some() {
            return Some(self.text.clone());
        }
        let number = self.text.parse::<usize>().ok().filter(|_| self.may_be_number)?;
        labels.names().get(number).cloned()
    }
}

/// Gives every record its candidate labels and checks the true ones against them.
fn resolve(found: Vec<Found>, layout: &Layout) -> Result<Vec<std::result::Result<Labelled, Unusable>>> {
    let shared = match &layout.labels {
        Some(labels) => Some(labels.clone()),
        None if found.iter().all(|record| record.candidates.is_some()) => None,
        None => Some(Arc::new(labels_seen(&found)?)),
    };
    let mut previous: Option<Arc<LabelSet>> = None;
    let mut candidates = |own: Option<Result<LabelSet>>| match own {
        Some(own) => own.map(|own| reuse(&mut previous, own)),
        None => Ok(shared.clone().expect("labels are shared where a record has none of its own: this is a bug")),
    };
    let resolved = found.into_iter().map(|mut record| {
        let labels = candidates(record.candidates.take());
        let labels = labels.map_err(|error| Unusable { fault: Fault::Candidates, message: error.to_string() })?;
        labelled(record, labels, if layout.labels.is_some() { "--labels" } else { "those of the record" })
    });
    Ok(resolved.collect())
}

/// A record with its candidates, where its true labels are among them; else `source` says what to add them to.
fn labelled(record: Found, labels: Arc<LabelSet>, source: &str) -> std::result::Result<Labelled, Unusable> {
    let unknown = |label: &Written| {
        let (text, count) = (&label.text, labels.len());
        let message = format!("{text:?} is not among the {count} candidate labels: correct it, or add it to {source}");
        let message = flaw(record.spot, Some(&record.truth.field), &message).to_string();
        Unusable { fault: Fault::Unknown, message }
    };
    let truth = record.truth.labels.iter().map(|label| label.among(&labels).ok_or_else(|| unknown(label)));
    let truth = truth.collect::<std::result::Result<Vec<String>, Unusable>>()?;
    // One that names no candidate and is not true says nothing.
    let weights = record.truth.weights.into_iter().filter(|(label, _)| labels.place_of(label).is_some()).collect();
    Ok(Labelled {
        spot: record.spot,
        text: record.text,
        restate: record.truth.restate,
        truth,
        weights,
        labels,
        own: record.own,
        source: record.source,
    })
}

/// Records mostly repeat the labels of the one before: one copy serves them all.
fn reuse(previous: &mut Option<Arc<LabelSet>>, own: LabelSet) -> Arc<LabelSet> {
    match previous {
        Some(labels) if **labels == own => labels.clone(),
        _ => previous.insert(Arc::new(own)).clone(),
    }
}

/// The labels of the data that are true or have a weight, in order of first appearance.
fn labels_seen(found: &[Found]) -> Result<LabelSet> {
    let is_empty = |found: &&Found| found.truth.names().any(|label| label.trim().is_empty());
    if let Some(record) = found.iter().find(is_empty) {
        return Err(flaw(record.spot, Some(&record.truth.field), EMPTY_LABEL));
    }
    let labels = distinct(found.iter().flat_map(|found| found.truth.names()));
    if labels.is_empty() {
        return Err(Error::Usage("no record has a label: name the candidates with --labels".into()));
    }
    let may_be_numbers = found.iter().flat_map(|found| &found.truth.labels).any(|label| label.may_be_number);
    if may_be_numbers && labels.iter().all(|label| label.parse::<u64>().is_ok()) {
        return Err(Error::Usage("the labels are numbers: name them with --labels, the name of 0 first".into()));
    }
    LabelSet::flat(labels)
}

fn all_labels(records: &[Labelled]) -> Vec<String> {
    let mut sets: Vec<&LabelSet> = records.iter().map(|record| &*record.labels).collect();
    sets.dedup_by(|a, b| std::ptr::eq(*a, *b));
    distinct(sets.into_iter().flat_map(LabelSet::names))
}

/// Every label once, in order of first appearance.
pub fn distinct<'a>(labels: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut seen = HashSet::new();
    labels.filter(|label| seen.insert(label.as_str())).cloned().collect()
}

/// What is said of a file with nothing in it.
fn nothing_in_it() -> Error {
    Error::Record("no records: the file is empty".into())
}

/// What is wrong with the data, and where.
fn flaw(spot: Spot, field: Option<&str>, message: &str) -> Error {
    Error::Record(match field {
        Some(field) => format!("{spot}, field {field:?}: {message}"),
        None => format!("{spot}: {message}"),
    })
}

/// The score, where it can be one.
fn probability(score: f32) -> std::result::Result<f32, String> {
    if (0.0..=1.0).contains(&score) { Ok(score) } else { Err(format!("the score {score} is not from 0 to 1")) }
}

/// Checks that there is a score for each label of two lists; else `remedy` says what to do.
fn check_pairs(spot: Spot, labels: usize, scores: usize, remedy: &str) -> Result<()> {
    if labels == scores {
        return Ok(());
    }
    Err(flaw(spot, Some(PREDICTED_SCORES), &format!("{scores} scores for {labels} labels: {remedy}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
