//! Labelled records with predictions: what `batch` and `eval --predictions` wrote, read back to be judged.
//!
//! Labels are numbers from the start, and lines are read in parallel: a million records with ten scores each
//! are an everyday size here. A reader of one form makes `Chunk`s, each with labels of its own; `merge` brings them
//! together.

mod json;
mod merge;
mod table;

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use csv::StringRecord;

use super::json::parts_of_array;
use super::{Form, Layout, Spot, Written, as_text, lines, rows};
use crate::error::{Error, Result};
use crate::records::unicode::utf8;
use merge::Merge;

/// Where a record was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which of the files.
    pub file: usize,
    /// Where in it.
    pub spot: Spot,
}

/// A record with what was said of it; labels by their place in the names.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadyRecord {
    /// Where it was read.
    pub place: Place,
    /// The text.
    pub text: String,
    /// The true labels.
    pub truth: Vec<u32>,
    /// Those of which it is not known whether they are true.
    pub ignored: Vec<u32>,
    /// Its own candidates; without, all labels are.
    pub candidates: Option<Arc<[u32]>>,
    /// The labels that are listed, with their scores.
    pub scores: Vec<(u32, f32)>,
    /// What the model said before it became a score, of each of these; nothing where that is not there of all.
    pub logits: Vec<f32>,
    /// Whether these are all scores by their form: a hierarchy, or a column for each label.
    pub is_whole: bool,
}

/// What is listed of each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// The score of every label, or of every candidate of the record.
    All,
    /// As [`Listed::All`], but of those labels alone that were asked: some that are true are not among them.
    Asked,
    /// The labels that were said.
    Said,
}

/// Labelled records with predictions.
#[derive(Debug, Clone, PartialEq)]
pub struct Ready {
    /// Every label: true ones in order of first appearance, then those that were only said.
    pub names: Vec<String>,
    /// The records, never none.
    pub records: Vec<ReadyRecord>,
    /// What is listed of all records.
    pub listed: Listed,
    /// Records with an error instead of predictions, which are left out.
    pub failed: usize,
    /// The form of the first file.
    pub form: Form,
}

impl ReadyRecord {
    /// The labels that are listed, rising.
    pub fn listed(&self) -> Vec<u32> {
        let mut labels: Vec<u32> = self.scores.iter().map(|(label, _)| *label).collect();
        labels.sort_unstable();
        labels
    }
}

impl Ready {
    /// Whether what the model said of each label is there as it was before it became a score.
    pub fn has_logits(&self) -> bool {
        self.records.iter().all(|record| record.logits.len() == record.scores.len())
    }

    /// Reads files (name and content) that are one set of records, in any order; predictions are in `output_field`. Of
    /// tables only the first needs a header.
    ///
    /// # Errors
    /// There are no records, or one of them cannot be used: the message names the file, the line and the field.
    pub fn read(files: Vec<(String, Vec<u8>)>, layout: &Layout, output_field: &str) -> Result<Self> {
        let names = files.iter().map(|(name, _)| name.clone()).collect();
        let mut chunks = Vec::new();
        let mut forms = Vec::new();
        let mut header = None;
        for (number, (name, bytes)) in files.into_iter().enumerate() {
            let named = |error| Error::Record(format!("{name}: {error}"));
            let bytes = as_text(&name, bytes, layout, Some(output_field)).map_err(named)?;
            let text = utf8(&bytes).map_err(named)?;
            let form = Form::detect(&name, text).map_err(named)?;
            chunks.extend(read_file(number, form, text, layout, output_field, &mut header).map_err(named)?);
            forms.push(form);
        }
        let form = forms.first().copied().ok_or_else(|| Error::Usage("no file of predictions".into()))?;
        Merge::new(layout, names).merge(chunks, form)
    }
}

fn read_file(
    file: usize,
    form: Form,
    text: &str,
    layout: &Layout,
    output_field: &str,
    header: &mut Option<StringRecord>,
) -> Result<Vec<Chunk>> {
    match form {
        Form::JsonLines => json::read(file, &lines(text).collect::<Vec<(Spot, &str)>>(), layout, output_field),
        Form::Parquet => json::read(file, &rows(text).collect::<Vec<(Spot, &str)>>(), layout, output_field),
        Form::JsonArray => json::read(file, &parts_of_array(text)?, layout, output_field),
        Form::Csv => table::read(file, text, b',', layout, header).map(|chunk| vec![chunk]),
        Form::Tsv => table::read(file, text, b'\t', layout, header).map(|chunk| vec![chunk]),
        Form::FastText => Err(Error::Record(format!("{form} hold no predictions: give an output of batch"))),
    }
}

/// Records that were read together; labels by their place in the names of the chunk.
#[derive(Default)]
struct Chunk {
    names: Names,
    records: Vec<ReadyRecord>,
    failed: usize,
}

/// Labels and their numbers.
#[derive(Default)]
struct Names {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }

    fn numbers<'a>(&mut self, names: impl IntoIterator<Item = &'a String>) -> Vec<u32> {
        names.into_iter().map(|name| self.number(name)).collect()
    }

    /// The label of the command, or of the record's `own`, that a true label means; what means none is said to where
    /// all labels are known.
    fn meant(&self, label: Written, layout: &Layout, own: Option<&[u32]>) -> String {
        if !label.may_be_number {
            return label.text;
        }
        let Some(labels) = &layout.labels else { return self.numbered(&label.text, own).unwrap_or(label.text) };
        label.among(labels).unwrap_or(label.text)
    }

    /// The one of the record's `own` labels that has the number `text`, and none has it for a name.
    fn numbered(&self, text: &str, own: Option<&[u32]>) -> Option<String> {
        let own = own.filter(|own| self.numbers.get(text).is_none_or(|label| !own.contains(label)))?;
        own.get(text.parse::<usize>().ok()?).map(|&label| self.names[label as usize].clone())
    }
}

/// For each of `this`, texts with what is true of them, the place of the same in `other`; of equal ones the first
/// belongs to the first. A text that is there only with something else that is true has its place all the same.
///
/// # Errors
/// They are not the same texts.
pub fn align<T: Eq + Hash>(this: &[(&str, T)], other: &[(&str, T)]) -> Result<Vec<usize>> {
    let mut found = vec![None; this.len()];
    pair(&mut found, this.iter(), other.iter());
    pair(&mut found, this.iter().map(|(text, _)| text), other.iter().map(|(text, _)| text));
    let missing = found.iter().filter(|place| place.is_none()).count();
    if missing > 0 || other.len() > this.len() {
        let more = other.len() + missing - this.len();
        return Err(Error::Usage(format!(
            "other records: {missing} of {} are not there, and {more} are there that are not here",
            this.len()
        )));
    }
    Ok(found.into_iter().flatten().collect())
}

/// Gives each that has no place yet the first one in `other` that is equal and not taken.
fn pair<T: Eq + Hash>(found: &mut [Option<usize>], this: impl Iterator<Item = T>, other: impl Iterator<Item = T>) {
    let taken: HashSet<usize> = found.iter().flatten().copied().collect();
    let mut places: HashMap<T, VecDeque<usize>> = HashMap::new();
    let free = other.enumerate().filter(|(place, _)| !taken.contains(place));
    free.for_each(|(place, one)| places.entry(one).or_default().push_back(place));
    for (found, one) in found.iter_mut().zip(this).filter(|(found, _)| found.is_none()) {
        *found = places.get_mut(&one).and_then(VecDeque::pop_front);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
