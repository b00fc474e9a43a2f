//! JSON lines, and the JSON array that GLiClass is trained with.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{
    CANDIDATES_FIELDS, Found, IGNORED, LABEL_FIELDS, Layout, Lines, OWN_FIELDS, Own, Spot, TRUE_LABELS, Truth, Written,
    flaw,
};
use crate::error::Result;
use crate::records::LabelSet;
use crate::records::jsonl::fault;

/// From this weight on a label is true: weights are the targets that GLiClass is trained towards.
const TRUE_WEIGHT: f32 = 0.5;

pub(super) fn read_lines<'a>(lines: impl Iterator<Item = (Spot, &'a str)>, layout: &Layout) -> Result<Vec<Found>> {
    lines.map(|(spot, line)| read_record(spot, line, layout)).collect()
}

pub(super) fn read_array(text: &str, layout: &Layout) -> Result<Vec<Found>> {
    parts_of_array(text)?.into_iter().map(|(spot, record)| read_record(spot, record, layout)).collect()
}

/// The parts of a JSON array as they are written, and where: by number where lines do not tell them apart.
pub(super) fn parts_of_array(text: &str) -> Result<Vec<(Spot, &str)>> {
    let parts: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
        let message = format!("{} at column {}", not_json(text, &error), error.column());
        flaw(Spot::Line(error.line()), None, &message)
    })?;
    let mut lines = Lines::new(text);
    let offset = |part: &RawValue| part.get().as_ptr().addr() - text.as_ptr().addr();
    let lines: Vec<usize> = parts.iter().map(|part| lines.at(offset(part))).collect();
    let tell_apart = lines.windows(2).all(|pair| pair[0] < pair[1]);
    let spot = |(line, number)| if tell_apart { Spot::Line(line) } else { Spot::Record(number) };
    Ok(lines.into_iter().zip(1..).map(spot).zip(parts.into_iter().map(RawValue::get)).collect())
}

fn read_record(spot: Spot, json: &str, layout: &Layout) -> Result<Found> {
    let value = serde_json::from_str(json).map_err(|error| flaw(spot, None, &not_json(json, &error)))?;
    let Value::Object(mut fields) = value else {
        return Err(flaw(spot, None, &format!("a record must be an object, found {}", kind(&value))));
    };
    let text =
        read_text(&mut fields, &layout.text_field).map_err(|message| flaw(spot, Some(&layout.text_field), &message))?;
    // As in `batch`, null says nothing.
    let is_there = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    let field = label_field(is_there, layout);
    if !is_there(&field) {
        let (field, message) = no_truth(&fields, layout);
        return Err(flaw(spot, Some(field), &message));
    }
    let truth = read_truth(&fields[&field]).and_then(|labels| Ok((labels, read_weights(&fields[&field])?)));
    let (labels, weights) = truth.map_err(|message| flaw(spot, Some(&field), &message))?;
    // Where a field is named, the same options read it again; one called so may be the user's own.
    let restate = layout.label_field.is_none() && field != TRUE_LABELS && labels.iter().any(|one| one.may_be_number);
    let candidates = candidates_field(&field, is_there).filter(|_| layout.labels.is_none());
    let candidates = candidates.map(|name| {
        LabelSet::from_json(&fields[name], &layout.label_separator)
            .map_err(|error| flaw(spot, Some(name), &error.to_string()))
    });
    let [prompt, examples, rac_examples] = OWN_FIELDS;
    let own = Own {
        prompt: own::<String>(&mut fields, prompt, spot)?.map(Arc::from),
        examples: own::<Vec<_>>(&mut fields, examples, spot)?.map(Arc::from),
        rac_examples: own::<Vec<_>>(&mut fields, rac_examples, spot)?.map(Arc::from),
    };
    // Between the parts of JSON a line break is a blank like any other; inside strings there is none.
    let source = layout.source(|| json.replace(['\n', '\r'], " "));
    Ok(Found { spot, text, candidates, truth: Truth { field, labels, weights, restate }, own, source })
}

/// The field with the candidate labels, if there is one.
pub(super) fn candidates_field(label_field: &str, is_there: impl Fn(&str) -> bool) -> Option<&'static str> {
    CANDIDATES_FIELDS.into_iter().find(|&name| name != label_field && is_there(name))
}

/// What a record says itself.
fn own<T: DeserializeOwned>(fields: &mut Map<String, Value>, name: &str, spot: Spot) -> Result<Option<T>> {
    let value = fields.get_mut(name).map(Value::take).filter(|value| !value.is_null());
    value.map(serde_json::from_value).transpose().map_err(|error| flaw(spot, Some(name), &error.to_string()))
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

/// The labels of which it is not known whether they are true.
pub(super) fn read_ignored(value: &Value) -> std::result::Result<Vec<String>, String> {
    let is_ignored = |(label, weight)| (weight == IGNORED).then_some(label);
    Ok(read_weights(value)?.into_iter().filter_map(is_ignored).collect())
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
        Value::Number(number) => Err(format!("a label must be a string or an integer from 0, found {number}")),
        other => Err(format!("a label must be a string or an integer from 0, found {}", kind(other))),
    }
}

/// What is said of a record without true labels, and of which of the fields that could hold them.
pub(super) fn no_truth<'a>(fields: &Map<String, Value>, layout: &'a Layout) -> (&'a str, String) {
    let [usual, other] = LABEL_FIELDS;
    let named = layout.label_field.as_deref();
    let mut could_hold = named.into_iter().chain(LABEL_FIELDS.into_iter().filter(|_| named.is_none()));
    if let Some(field) = could_hold.find(|field| fields.get(*field).is_some_and(Value::is_null)) {
        return (field, "null: write [] for no label".to_owned());
    }
    match named {
        Some(field) => (field, missing("--label-field")),
        None => (usual, format!("missing, and so is {other:?}: add one, or name another with --label-field")),
    }
}

pub(super) fn missing(option: &str) -> String {
    format!("missing: add it, or name another with {option}")
}

/// What is wrong with a record, without a place that counts from it and not from the file.
pub(super) fn not_json(json: &str, error: &serde_json::Error) -> String {
    format!("not JSON: {}", fault(json, error))
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
