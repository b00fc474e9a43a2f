//! JSON lines, and the JSON array that GLiClass is trained with.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{CANDIDATES_FIELDS, Found, LABEL_FIELDS, Layout, Lines, OWN_FIELDS, Own, Truth, Written, flaw};
use crate::error::Result;
use crate::records::LabelSet;
use crate::records::jsonl::without_place;

/// From this weight on a label is true: weights are the targets that GLiClass is trained towards.
const TRUE_WEIGHT: f32 = 0.5;

pub(super) fn read_lines(text: &str, layout: &Layout) -> Result<Vec<Found>> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(number, line)| read_record(number, line, layout)).collect()
}

pub(super) fn read_array(text: &str, layout: &Layout) -> Result<Vec<Found>> {
    parts_of_array(text)?.into_iter().map(|(line, record)| read_record(line, record, layout)).collect()
}

/// The parts of a JSON array as they are written, each with its line.
pub(super) fn parts_of_array(text: &str) -> Result<Vec<(usize, &str)>> {
    let parts: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| flaw(error.line(), None, &not_json(&error)))?;
    let mut lines = Lines::new(text);
    let offset = |part: &str| part.as_ptr().addr() - text.as_ptr().addr();
    Ok(parts.into_iter().map(|part| (lines.at(offset(part.get())), part.get())).collect())
}

fn read_record(line: usize, json: &str, layout: &Layout) -> Result<Found> {
    let value = serde_json::from_str(json).map_err(|error| flaw(line, None, &not_json(&error)))?;
    let Value::Object(mut fields) = value else {
        return Err(flaw(line, None, &format!("a record must be an object, found {}", kind(&value))));
    };
    // As in `batch`, null says nothing.
    fields.retain(|_, value| !value.is_null());
    let text =
        read_text(&mut fields, &layout.text_field).map_err(|message| flaw(line, Some(&layout.text_field), &message))?;
    let field = label_field(|name| fields.contains_key(name), layout);
    let truth = fields.get(&field).ok_or_else(|| missing_labels(layout));
    let truth = truth.and_then(|value| Ok((read_truth(value)?, read_weights(value)?)));
    let (labels, weights) = truth.map_err(|message| flaw(line, Some(&field), &message))?;
    let restate = !LABEL_FIELDS.contains(&field.as_str());
    let candidates = candidates_field(&field, |name| fields.contains_key(name)).filter(|_| layout.labels.is_none());
    let candidates = candidates.map(|name| {
        LabelSet::from_json(&fields[name], &layout.label_separator)
            .map_err(|error| flaw(line, Some(name), &error.to_string()))
    });
    let [prompt, examples, rac_examples] = OWN_FIELDS;
    let own = Own {
        prompt: own::<String>(&mut fields, prompt, line)?.map(Arc::from),
        examples: own::<Vec<_>>(&mut fields, examples, line)?.map(Arc::from),
        rac_examples: own::<Vec<_>>(&mut fields, rac_examples, line)?.map(Arc::from),
    };
    // Between the parts of JSON a line break is a blank like any other; inside strings there is none.
    let source = json.replace(['\n', '\r'], " ");
    Ok(Found { line, text, candidates, truth: Truth { field, labels, weights, restate }, own, source })
}

/// The field with the candidate labels, if there is one.
pub(super) fn candidates_field(label_field: &str, is_there: impl Fn(&str) -> bool) -> Option<&'static str> {
    CANDIDATES_FIELDS.into_iter().find(|&name| name != label_field && is_there(name))
}

/// What a record says itself.
fn own<T: DeserializeOwned>(fields: &mut Map<String, Value>, name: &str, line: usize) -> Result<Option<T>> {
    let value = fields.get_mut(name).map(Value::take).map(serde_json::from_value).transpose();
    value.map_err(|error| flaw(line, Some(name), &error.to_string()))
}

pub(super) fn label_field(is_there: impl Fn(&str) -> bool, layout: &Layout) -> String {
    let usual = || LABEL_FIELDS.into_iter().find(|field| is_there(field)).unwrap_or(LABEL_FIELDS[0]);
    layout.label_field.clone().unwrap_or_else(|| usual().to_owned())
}

fn read_text(fields: &mut Map<String, Value>, field: &str) -> std::result::Result<String, String> {
    match fields.get_mut(field).map(Value::take) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("must be a string, found {}", kind(&other))),
        None => Err(missing("--text-field")),
    }
}

/// One label, a list of labels, or `{label: weight}`: the true ones.
pub(super) fn read_truth(value: &Value) -> std::result::Result<Vec<Written>, String> {
    match value {
        Value::Array(labels) => labels.iter().map(read_label).collect(),
        Value::Object(_) => {
            let is_true = |(label, weight)| (weight >= TRUE_WEIGHT).then_some(Written::name(label));
            Ok(read_weights(value)?.into_iter().filter_map(is_true).collect())
        }
        one => read_label(one).map(|label| vec![label]),
    }
}

/// The labels of `{label: weight}`; none of any other form.
fn read_weights(value: &Value) -> std::result::Result<Vec<(String, f32)>, String> {
    let of_label = |(label, weight): (&String, &Value)| match weight.as_f64() {
        Some(number) => Ok((label.clone(), number as f32)),
        None => Err(format!("the weight of {label:?} must be a number, found {}", kind(weight))),
    };
    value.as_object().into_iter().flatten().map(of_label).collect()
}

/// A name, or the number of one.
fn read_label(value: &Value) -> std::result::Result<Written, String> {
    match value {
        Value::String(label) => Ok(Written::name(label.clone())),
        Value::Number(number) if number.is_u64() => Ok(Written::name_or_number(number.to_string())),
        other => Err(format!("a label must be a string or an integer from 0, found {}", kind(other))),
    }
}

/// What is said of a record without true labels, of whichever fields could hold them.
pub(super) fn missing_labels(layout: &Layout) -> String {
    let [_, other] = LABEL_FIELDS;
    match &layout.label_field {
        Some(_) => missing("--label-field"),
        None => format!("missing, and so is {other:?}: add one, or name another with --label-field"),
    }
}

pub(super) fn missing(option: &str) -> String {
    format!("missing: add it, or name another with {option}")
}

/// serde_json's message without its place, which counts from the record, not from the file.
pub(super) fn not_json(error: &serde_json::Error) -> String {
    format!("not JSON: {}", without_place(error))
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
