//! JSON lines, and the JSON array that GLiClass is trained with.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{CANDIDATES_FIELD, Found, LABEL_FIELDS, Layout, Lines, Truth, flaw};
use crate::error::Result;
use crate::records::LabelSet;

/// From this weight on a label is true: weights are the targets that GLiClass is trained towards.
const TRUE_WEIGHT: f64 = 0.5;

pub(super) fn read_lines(text: &str, layout: &Layout) -> Result<Vec<Found>> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(number, line)| read_record(number, line, layout)).collect()
}

pub(super) fn read_array(text: &str, layout: &Layout) -> Result<Vec<Found>> {
    let records: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| flaw(error.line(), None, &not_json(&error)))?;
    let mut lines = Lines::new(text);
    let offset = |part: &str| part.as_ptr().addr() - text.as_ptr().addr();
    let read = |record: &RawValue| read_record(lines.at(offset(record.get())), record.get(), layout);
    records.into_iter().map(read).collect()
}

fn read_record(line: usize, json: &str, layout: &Layout) -> Result<Found> {
    let value = serde_json::from_str(json).map_err(|error| flaw(line, None, &not_json(&error)))?;
    let Value::Object(mut fields) = value else {
        return Err(flaw(line, None, &format!("a record must be an object, found {}", kind(&value))));
    };
    let text =
        read_text(&mut fields, &layout.text_field).map_err(|message| flaw(line, Some(&layout.text_field), &message))?;
    let field = label_field(&fields, layout);
    let truth = fields.get(&field).ok_or_else(|| missing("--label-field")).and_then(read_truth);
    let labels = truth.map_err(|message| flaw(line, Some(&field), &message))?;
    let candidates = fields
        .get(CANDIDATES_FIELD)
        .filter(|_| layout.labels.is_none())
        .map(|value| LabelSet::from_json(value, &layout.label_separator))
        .transpose()
        .map_err(|error| flaw(line, Some(CANDIDATES_FIELD), &error.to_string()))?;
    Ok(Found { line, text, candidates, truth: Truth { field, labels } })
}

fn label_field(fields: &Map<String, Value>, layout: &Layout) -> String {
    let usual = || LABEL_FIELDS.into_iter().find(|field| fields.contains_key(*field)).unwrap_or(LABEL_FIELDS[0]);
    layout.label_field.clone().unwrap_or_else(|| usual().to_owned())
}

fn read_text(fields: &mut Map<String, Value>, field: &str) -> std::result::Result<String, String> {
    match fields.get_mut(field).map(Value::take) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("must be a string, found {}", kind(&other))),
        None => Err(missing("--text-field")),
    }
}

/// One label, a list of labels, or `{label: weight}`.
fn read_truth(value: &Value) -> std::result::Result<Vec<String>, String> {
    match value {
        Value::Array(labels) => labels.iter().map(read_label).collect(),
        Value::Object(weights) => {
            let of_weight = |(label, weight): (&String, &Value)| match weight.as_f64() {
                Some(weight) => Ok((weight >= TRUE_WEIGHT).then(|| label.clone())),
                None => Err(format!("the weight of {label:?} must be a number, found {}", kind(weight))),
            };
            weights.iter().filter_map(|entry| of_weight(entry).transpose()).collect()
        }
        one => read_label(one).map(|label| vec![label]),
    }
}

/// A name, or the number of one: both as text.
fn read_label(value: &Value) -> std::result::Result<String, String> {
    match value {
        Value::String(label) => Ok(label.clone()),
        Value::Number(number) if number.is_u64() => Ok(number.to_string()),
        other => Err(format!("a label must be a string or an integer from 0, found {}", kind(other))),
    }
}

fn missing(option: &str) -> String {
    format!("missing: add it, or name another with {option}")
}

/// serde_json's message without its place, which counts from the record, not from the file.
fn not_json(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    format!("not JSON: {message}")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
