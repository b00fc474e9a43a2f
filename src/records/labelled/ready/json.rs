//! Records of JSON with their predictions.

use std::borrow::Cow;
use std::sync::Arc;

use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Chunk, Place, ReadyRecord};
use crate::error::{Error, Result};
use crate::records::LabelSet;
use crate::records::jsonl::{Object, fault};
use crate::records::labelled::json::{
    candidates_field, kind, label_field, missing, no_truth, object, parsed, read_ignored, read_truth,
};
use crate::records::labelled::table::split;
use crate::records::labelled::{Layout, Spot, TRUE_LABELS, Written, flaw, probability};
use crate::records::names::ERROR;

/// Records that are read together.
const CHUNK: usize = 4096;

pub(super) fn read(file: usize, records: &[(Spot, &str)], layout: &Layout, output_field: &str) -> Result<Vec<Chunk>> {
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
        let object = object(place.spot, json)?;
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
            let (field, message) = no_truth(&object, self.layout);
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
            format!("must be a list of {{\"label\", \"score\"}}: {}", fault(predictions.get(), &error))
        })?;
        let logits: Option<Vec<f32>> = list.iter().map(|one| one.logit.filter(|logit| logit.is_finite())).collect();
        let scores = list.iter().map(|one| Ok((self.chunk.names.number(&one.label), probability(one.score)?)));
        Ok((scores.collect::<std::result::Result<_, String>>()?, logits.unwrap_or_default()))
    }
}

fn is_hierarchy(predictions: &RawValue) -> bool {
    predictions.get().starts_with('{')
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
