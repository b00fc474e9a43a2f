//! Labelled records with predictions: what `batch` and `eval --predictions` wrote, read back to be judged.
//!
//! Labels are numbers from the start, and lines are read in parallel: a million records with ten scores each
//! are an everyday size here.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use csv::StringRecord;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::json::{
    candidates_field, kind, label_field, missing, no_truth, not_json, parts_of_array, read_ignored, read_truth,
};
use super::table::{HEADER, TruthColumns, candidates_column, flags, rows, split, text_column};
use super::{ALL_IGNORED, Form, Layout, Spot, TRUE_LABELS, Written, as_text, check_pairs, flaw, lines, probability};
use crate::error::{Error, Result};
use crate::records::LabelSet;
use crate::records::jsonl::Object;
use crate::records::labels::EMPTY_LABEL;
use crate::records::names::{ERROR, PREDICTED_LABELS, PREDICTED_SCORES, SCORE};
use crate::records::unicode::utf8;

/// Lines that are read together.
const CHUNK: usize = 4096;

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

    /// Reads files (name and content) that are one set of records, in any order; predictions are in `output_field`.
    ///
    /// # Errors
    /// There are no records, or one of them cannot be used: the message names the file, the line and the field.
    pub fn read(files: Vec<(String, Vec<u8>)>, layout: &Layout, output_field: &str) -> Result<Self> {
        let names = files.iter().map(|(name, _)| name.clone()).collect();
        let mut chunks = Vec::new();
        let mut forms = Vec::new();
        for (number, (name, bytes)) in files.into_iter().enumerate() {
            let named = |error| Error::Record(format!("{name}: {error}"));
            let bytes = as_text(&name, bytes, layout, Some(output_field)).map_err(named)?;
            let text = utf8(&bytes).map_err(named)?;
            let form = Form::detect(&name, text).map_err(named)?;
            chunks.extend(read_file(number, form, text, layout, output_field).map_err(named)?);
            forms.push(form);
        }
        let form = forms.first().copied().ok_or_else(|| Error::Usage("no file of predictions".into()))?;
        Merge::new(layout, names).merge(chunks, form)
    }
}

fn read_file(file: usize, form: Form, text: &str, layout: &Layout, output_field: &str) -> Result<Vec<Chunk>> {
    match form {
        Form::JsonLines | Form::Parquet => {
            read_json(file, &lines(text).collect::<Vec<(Spot, &str)>>(), layout, output_field)
        }
        Form::JsonArray => read_json(file, &parts_of_array(text)?, layout, output_field),
        Form::Csv => read_table(file, text, b',', layout).map(|chunk| vec![chunk]),
        Form::Tsv => read_table(file, text, b'\t', layout).map(|chunk| vec![chunk]),
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

fn read_json(file: usize, records: &[(Spot, &str)], layout: &Layout, output_field: &str) -> Result<Vec<Chunk>> {
    let read = |records: &[(Spot, &str)]| {
        let mut reader = JsonReader { layout, output_field, chunk: Chunk::default(), candidates: None };
        for &(spot, json) in records {
            reader.read(Place { file, spot }, json)?;
        }
        Ok(reader.chunk)
    };
    let chunks: Vec<Result<Chunk>> = records.par_chunks(CHUNK).map(read).collect();
    chunks.into_iter().collect()
}

/// A prediction as `batch` writes it.
#[derive(Deserialize)]
struct Predicted<'a> {
    #[serde(borrow)]
    label: Cow<'a, str>,
    score: f32,
    logit: Option<f32>,
}

/// Labels with their scores, and with the logits of all or none.
type Scored = (Vec<(u32, f32)>, Vec<f32>);

/// Reads records of JSON, which mostly repeat the candidates of the one before.
struct JsonReader<'a> {
    layout: &'a Layout,
    output_field: &'a str,
    chunk: Chunk,
    candidates: Option<(&'a str, Arc<[u32]>)>,
}

impl<'a> JsonReader<'a> {
    fn read(&mut self, place: Place, json: &'a str) -> Result<()> {
        let at = |field: &str, message: &str| flaw(place.spot, Some(field), message);
        let object = Object::parse(json).map_err(|error| flaw(place.spot, None, &not_json(json, &error)))?;
        let Some(predictions) = object.get(self.output_field) else {
            if object.get(ERROR).is_none() {
                return Err(at(
                    self.output_field,
                    "missing: give an output of batch, or name the field with --output-field",
                ));
            }
            self.chunk.failed += 1;
            return Ok(());
        };
        let is_there = |name: &str| object.get(name).is_some();
        let field = label_field(is_there, self.layout);
        let truth = object.get(&field).ok_or_else(|| {
            let (field, message) = no_truth(&serde_json::from_str(json).unwrap_or_default(), self.layout);
            at(field, &message)
        })?;
        let truth = parsed(truth).and_then(|value| Ok((read_truth(&value)?, read_ignored(&value)?)));
        let (truth, ignored) = truth.map_err(|message| at(&field, &message))?;
        let own = candidates_field(&field, is_there).filter(|_| self.layout.labels.is_none());
        let candidates = own.map(|name| self.candidates(name, &object, place.spot)).transpose()?;
        let truth = self.meant(truth, candidates.as_deref());
        let truth = self.of_cell(&object, candidates.as_deref()).unwrap_or(truth);
        let text_field = &self.layout.text_field;
        let text = object.get(text_field).ok_or_else(|| at(text_field, &missing("--text-field")))?;
        let text = serde_json::from_str::<String>(text.get()).map_err(|_| at(text_field, "must be a string"))?;
        let (scores, logits) = self.scores(predictions).map_err(|message| at(self.output_field, &message))?;
        let truth = self.chunk.names.numbers(&truth);
        let ignored = self.chunk.names.numbers(&ignored);
        let is_whole = is_hierarchy(predictions);
        self.chunk.records.push(ReadyRecord { place, text, truth, ignored, candidates, scores, logits, is_whole });
        Ok(())
    }

    fn meant(&self, labels: Vec<Written>, own: Option<&[u32]>) -> Vec<String> {
        labels.into_iter().map(|label| self.chunk.names.meant(label, self.layout, own)).collect()
    }

    /// What is true of a record that was a row of a table: the cell of the column that is named holds a list, and
    /// `eval --predictions` wrote its labels beside it.
    fn of_cell(&self, object: &Object<'a>, own: Option<&[u32]>) -> Option<Vec<String>> {
        let text = |field: &str| object.get(field).map(RawValue::get);
        let cell: String = serde_json::from_str(text(self.layout.label_field.as_ref()?)?).ok()?;
        let names: Vec<String> = serde_json::from_str(text(TRUE_LABELS)?).ok()?;
        let labels = split(&cell, &self.layout.list_separator).into_iter().map(Written::name_or_number).collect();
        (self.meant(labels, own) == names).then_some(names)
    }

    fn candidates(&mut self, name: &str, object: &Object<'a>, spot: Spot) -> Result<Arc<[u32]>> {
        let raw = object.get(name).map_or("null", RawValue::get);
        if let Some((_, labels)) = self.candidates.as_ref().filter(|(seen, _)| *seen == raw) {
            return Ok(labels.clone());
        }
        let labels = serde_json::from_str(raw)
            .map_err(|error| Error::Record(error.to_string()))
            .and_then(|value| match value {
                // The cell of a table that `eval --predictions` wrote.
                Value::String(cell) => LabelSet::flat(split(&cell, &self.layout.list_separator)),
                value => LabelSet::from_json(&value, &self.layout.label_separator),
            })
            .map_err(|error| flaw(spot, Some(name), &error.to_string()))?;
        let labels: Arc<[u32]> = self.chunk.names.numbers(labels.names()).into();
        self.candidates = Some((raw, labels.clone()));
        Ok(labels)
    }

    fn scores(&mut self, predictions: &'a RawValue) -> std::result::Result<Scored, String> {
        if is_hierarchy(predictions) {
            let mut scores = Vec::new();
            flatten(&parsed(predictions)?, "", &self.layout.label_separator, &mut scores)?;
            let numbered = scores.into_iter().map(|(name, score)| (self.chunk.names.number(&name), score));
            return Ok((numbered.collect(), Vec::new()));
        }
        let list: Vec<Predicted> = serde_json::from_str(predictions.get()).map_err(|error| {
            format!("must be a list of {{\"label\", \"score\"}}: {}", not_json(predictions.get(), &error))
        })?;
        let logits: Option<Vec<f32>> = list.iter().map(|one| one.logit.filter(|logit| logit.is_finite())).collect();
        let scores = list.iter().map(|one| Ok((self.chunk.names.number(&one.label), probability(one.score)?)));
        Ok((scores.collect::<std::result::Result<_, String>>()?, logits.unwrap_or_default()))
    }
}

fn is_hierarchy(predictions: &RawValue) -> bool {
    predictions.get().starts_with('{')
}

fn parsed(value: &RawValue) -> std::result::Result<Value, String> {
    serde_json::from_str(value.get()).map_err(|error| not_json(value.get(), &error))
}

/// The leaves of `--hierarchical` predictions.
fn flatten(
    value: &Value,
    prefix: &str,
    separator: &str,
    scores: &mut Vec<(String, f32)>,
) -> std::result::Result<(), String> {
    let Value::Object(levels) = value else {
        return Err(format!("{prefix:?} must have a score, found {}", kind(value)));
    };
    for (key, below) in levels {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}{separator}{key}") };
        match below.as_f64() {
            Some(score) => scores.push((name, probability(score as f32)?)),
            None => flatten(below, &name, separator, scores)?,
        }
    }
    Ok(())
}

fn read_table(file: usize, text: &str, delimiter: u8, layout: &Layout) -> Result<Chunk> {
    let (header, records) = rows(text, delimiter)?;
    // Read twice only where the columns of labels must be found: they would fill the memory.
    let scan = |is_other: &dyn Fn(usize) -> bool| flags(&header, rows(text, delimiter)?.1, is_other);
    let mut reader = TableReader::find(&header, layout, scan)?;
    for row in records {
        let (spot, row) = row?;
        reader.read(Place { file, spot }, &row)?;
    }
    Ok(reader.chunk)
}

/// Where the predictions of a row are.
enum Said {
    /// The score of each label in a column of its own.
    Scores(Vec<(usize, u32)>),
    /// Two lists, of labels and of their scores.
    Lists { labels: usize, scores: usize },
}

impl Said {
    fn find(header: &StringRecord, names: &mut Names) -> Result<Self> {
        let scores = header.iter().enumerate();
        let scores = scores.filter_map(|(column, name)| Some((column, names.number(name.strip_prefix(SCORE)?))));
        let scores: Vec<(usize, u32)> = scores.collect();
        let position = |name: &str| header.iter().position(|column| column == name);
        match (position(PREDICTED_LABELS), position(PREDICTED_SCORES)) {
            (Some(_), Some(_)) if !scores.is_empty() => {
                let message = format!(
                    "both {PREDICTED_LABELS} and {SCORE}LABEL, which are of two runs: leave the columns of one of them out"
                );
                Err(flaw(HEADER, None, &message))
            }
            _ if !scores.is_empty() => Ok(Self::Scores(scores)),
            (Some(labels), Some(scores)) => Ok(Self::Lists { labels, scores }),
            _ => {
                let message =
                    format!("no predictions: give an output of batch, with {PREDICTED_LABELS} or {SCORE}LABEL");
                Err(flaw(HEADER, None, &message))
            }
        }
    }

    /// The labels of which something is said in every row, where the header says it.
    fn labels(&self, names: &Names) -> Option<Vec<String>> {
        match self {
            Self::Scores(columns) => {
                Some(columns.iter().map(|&(_, label)| names.names[label as usize].clone()).collect())
            }
            Self::Lists { .. } => None,
        }
    }

    /// Whether nothing is said in this row.
    fn is_nothing(&self, row: &StringRecord) -> bool {
        match self {
            Self::Scores(columns) => columns.iter().all(|&(column, _)| row[column].is_empty()),
            Self::Lists { labels, scores } => row[*labels].is_empty() && row[*scores].is_empty(),
        }
    }
}

/// Reads the rows of a table.
struct TableReader<'a> {
    layout: &'a Layout,
    header: &'a StringRecord,
    text: usize,
    truth: TruthColumns,
    candidates: Option<usize>,
    /// The labels that have a column of 0 and 1, where they are the candidates of every row.
    columns: Option<Arc<[u32]>>,
    error: Option<usize>,
    said: Said,
    chunk: Chunk,
}

impl<'a> TableReader<'a> {
    /// Finds the columns; `scan` finds those of 0 and 1 but for others.
    fn find(
        header: &'a StringRecord,
        layout: &'a Layout,
        scan: impl FnOnce(&dyn Fn(usize) -> bool) -> Result<Vec<usize>>,
    ) -> Result<Self> {
        let mut chunk = Chunk::default();
        let text = text_column(header, layout)?;
        let said = Said::find(header, &mut chunk.names)?;
        let labels = match &layout.labels {
            Some(labels) => Some(labels.names().to_vec()),
            None => said.labels(&chunk.names),
        };
        let is_other =
            |column| column == text || [PREDICTED_LABELS, PREDICTED_SCORES, ERROR].contains(&&header[column]);
        let truth = TruthColumns::find(header, layout, labels.as_deref(), || scan(&is_other))?;
        let mut numbers = |columns: &[usize]| columns.iter().map(|&one| chunk.names.number(&header[one])).collect();
        let columns = match &truth {
            TruthColumns::OneHot(columns) if layout.labels.is_none() => Some(numbers(columns)),
            _ => None,
        };
        let candidates = candidates_column(header, layout).filter(|_| layout.labels.is_none());
        let error = header.iter().position(|column| column == ERROR);
        Ok(Self { layout, header, text, truth, candidates, columns, error, said, chunk })
    }

    fn read(&mut self, place: Place, row: &StringRecord) -> Result<()> {
        // A column of this name may be the user's own.
        let has_error = self.error.is_some_and(|column| !row[column].is_empty());
        if has_error && self.said.is_nothing(row) {
            self.chunk.failed += 1;
            return Ok(());
        }
        let scores = self.scores(place.spot, row)?;
        let candidates = self.candidates.map(|column| self.list(row, column));
        let candidates = candidates.map(|labels| Arc::from(self.chunk.names.numbers(&labels)));
        let candidates = candidates.or_else(|| self.columns.clone());
        let truth = self.truth.read(place.spot, row, self.header, self.layout)?.into_iter();
        let meant = |label| self.chunk.names.meant(label, self.layout, candidates.as_deref());
        let truth: Vec<String> = truth.map(meant).collect();
        let truth = self.chunk.names.numbers(&truth);
        let (text, ignored, logits) = (row[self.text].to_owned(), Vec::new(), Vec::new());
        let is_whole = matches!(self.said, Said::Scores(_));
        self.chunk.records.push(ReadyRecord { place, text, truth, ignored, candidates, scores, logits, is_whole });
        Ok(())
    }

    fn list(&self, row: &StringRecord, column: usize) -> Vec<String> {
        split(&row[column], &self.layout.list_separator)
    }

    fn scores(&mut self, spot: Spot, row: &StringRecord) -> Result<Vec<(u32, f32)>> {
        let score = |column: usize, cell: &str| {
            let score = cell.parse().map_err(|_| format!("{cell:?} is not a score")).and_then(probability);
            score.map_err(|message| flaw(spot, Some(&self.header[column]), &message))
        };
        match self.said {
            Said::Scores(ref columns) => {
                columns.iter().map(|&(column, label)| Ok((label, score(column, &row[column])?))).collect()
            }
            Said::Lists { labels, scores } => {
                let (labels, cells) = (self.list(row, labels), self.list(row, scores));
                check_pairs(spot, labels.len(), cells.len(), "give --list-separator")?;
                let found = cells.iter().map(|cell| score(scores, cell)).collect::<Result<Vec<f32>>>()?;
                Ok(self.chunk.names.numbers(&labels).into_iter().zip(found).collect())
            }
        }
    }
}

/// Brings chunks together under one list of names.
struct Merge {
    /// What the files are called.
    files: Vec<String>,
    names: Names,
    /// How many candidates the command names; none where the data say it.
    given: Option<usize>,
}

impl Merge {
    fn new(layout: &Layout, files: Vec<String>) -> Self {
        let mut names = Names::default();
        let given = layout.labels.as_ref().map(|labels| names.numbers(labels.names()).len());
        Self { files, names, given }
    }

    fn merge(mut self, mut chunks: Vec<Chunk>, form: Form) -> Result<Ready> {
        let failed = chunks.iter().map(|chunk| chunk.failed).sum();
        let mut maps: Vec<Vec<Option<u32>>> = chunks.iter().map(|chunk| vec![None; chunk.names.names.len()]).collect();
        // First the candidates as they are listed, then what is true, then what was said, as it comes by score.
        self.number(&chunks, &mut maps, |record| record.candidates.as_deref().unwrap_or_default().to_vec())?;
        self.number(&chunks, &mut maps, |record| record.truth.clone())?;
        let true_labels = self.names.names.len();
        self.number(&chunks, &mut maps, |record| record.scores.iter().map(|(label, _)| *label).collect())?;
        let is_number = |name: &String| name.parse::<u64>().is_ok();
        let are_numbers = true_labels > 0 && self.names.names[..true_labels].iter().all(is_number);
        if are_numbers && !self.names.names.iter().all(is_number) {
            return Err(self.of_all("the true labels are numbers: name them with --labels, the name of 0 first"));
        }
        for (chunk, map) in chunks.iter_mut().zip(&maps) {
            renumber(chunk, map);
        }
        let records: Vec<ReadyRecord> = chunks.into_iter().flat_map(|chunk| chunk.records).collect();
        if records.is_empty() {
            return Err(self.of_all(&format!("no records with predictions (read as {form})")));
        }
        let complete = records
            .par_iter()
            .map(|record| is_complete(record, &self.names.names).map_err(|message| self.of_record(record, &message)));
        let complete: Vec<bool> = complete.collect::<Result<_>>()?;
        let listed = listed(&records, &complete);
        Ok(Ready { names: self.names.names, records, listed, failed, form })
    }

    /// Gives numbers to the labels that `labels` finds in each record.
    fn number(
        &mut self,
        chunks: &[Chunk],
        maps: &mut [Vec<Option<u32>>],
        labels: impl Fn(&ReadyRecord) -> Vec<u32>,
    ) -> Result<()> {
        for (chunk, map) in chunks.iter().zip(maps) {
            for record in &chunk.records {
                for local in labels(record) {
                    if map[local as usize].is_none() {
                        let name = &chunk.names.names[local as usize];
                        let number = self.number_of(name).map_err(|message| self.of_record(record, &message))?;
                        map[local as usize] = Some(number);
                    }
                }
            }
        }
        Ok(())
    }

    /// What is wrong with the files together.
    fn of_all(&self, message: &str) -> Error {
        Error::Record(format!("{}: {message}", self.files.join(", ")))
    }

    /// What is wrong with a record of one of the files.
    fn of_record(&self, record: &ReadyRecord, message: &str) -> Error {
        let Place { file, spot } = record.place;
        Error::Record(format!("{}: {}", self.files[file], flaw(spot, None, message)))
    }

    fn number_of(&mut self, name: &str) -> std::result::Result<u32, String> {
        if name.trim().is_empty() {
            return Err(EMPTY_LABEL.into());
        }
        let Some(given) = self.given else { return Ok(self.names.number(name)) };
        let known = self.names.numbers.get(name).copied();
        let unknown = || format!("label {name:?} is not among the {given} of --labels: correct it, or add it there");
        known.ok_or_else(unknown)
    }
}

/// Candidates by their numbers in a chunk, and in all.
struct Renumbered {
    before: Arc<[u32]>,
    after: Arc<[u32]>,
}

fn renumber(chunk: &mut Chunk, map: &[Option<u32>]) {
    let number = |local: u32| map[local as usize].expect("every label was numbered: this is a bug");
    let mut last: Option<Renumbered> = None;
    for record in &mut chunk.records {
        record.truth.iter_mut().for_each(|label| *label = number(*label));
        record.scores.iter_mut().for_each(|(label, _)| *label = number(*label));
        // One that is no candidate, and was not said, is nowhere else.
        record.ignored = record.ignored.iter().filter_map(|&label| map[label as usize]).collect();
        let Some(before) = record.candidates.take() else { continue };
        let known = last.take().filter(|last| Arc::ptr_eq(&last.before, &before));
        let now =
            known.unwrap_or_else(|| Renumbered { after: before.iter().map(|&one| number(one)).collect(), before });
        record.candidates = Some(now.after.clone());
        last = Some(now);
    }
}

/// What is listed, by which records are `complete`. A run that is asked for all scores lists the same labels of every
/// record that has no candidates of its own; one label alone may be what was said of each.
fn listed(records: &[ReadyRecord], complete: &[bool]) -> Listed {
    if complete.iter().all(|one| *one) {
        return Listed::All;
    }
    let mut own = records.iter().zip(complete).filter(|(record, _)| record.candidates.is_some());
    let shared = || records.iter().filter(|record| record.candidates.is_none() && !record.is_whole);
    let first = shared().next().map(ReadyRecord::listed);
    let are_asked = first.is_none_or(|first| first.len() > 1 && shared().all(|record| record.listed() == first));
    if are_asked && own.all(|(_, complete)| *complete) { Listed::Asked } else { Listed::Said }
}

/// Whether every candidate has a score; else what is wrong with the record.
fn is_complete(record: &ReadyRecord, names: &[String]) -> std::result::Result<bool, String> {
    let labels = record.listed();
    if let Some(twice) = labels.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("{:?} has two scores: leave one of them out", names[twice[0] as usize]));
    }
    let is_ignored = |label: u32| record.ignored.contains(&label);
    let are_ignored = match &record.candidates {
        Some(candidates) => candidates.iter().all(|&label| is_ignored(label)),
        None => (0..names.len() as u32).all(is_ignored),
    };
    if are_ignored && !record.ignored.is_empty() {
        return Err(ALL_IGNORED.into());
    }
    let Some(candidates) = &record.candidates else { return Ok(labels.len() == names.len()) };
    let mut known = candidates.to_vec();
    known.sort_unstable();
    let foreign = record.truth.iter().chain(&labels).find(|label| known.binary_search(label).is_err());
    match foreign {
        None => Ok(labels.len() == candidates.len()),
        Some(&label) => {
            let label = &names[label as usize];
            Err(format!(
                "{label:?} is true or predicted and not among the {} candidate labels of the record: name all with \
                 --labels, and what holds the true ones with --label-field",
                candidates.len()
            ))
        }
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
