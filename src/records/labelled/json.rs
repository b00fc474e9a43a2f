//! JSON lines, and the JSON array that GLiClass is trained with.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{
    CANDIDATES_FIELDS, Found, IGNORED, LABEL_FIELDS, Layout, Lines, OWN_FIELDS, Own, Spot, TRUE_LABELS, Truth, Written,
    flaw,
};
use crate::error::Result;
use crate::records::LabelSet;
use crate::records::jsonl::{Object, fault, no_json};

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
    let parts: Vec<&RawValue> = serde_json::from_str(text)
        .map_err(|error| flaw(Spot::Line(error.line()), None, &format!("not JSON: {}", no_json(text, &error))))?;
    let mut lines = Lines::new(text);
    let offset = |part: &RawValue| part.get().as_ptr().addr() - text.as_ptr().addr();
    let lines: Vec<usize> = parts.iter().map(|part| lines.at(offset(part))).collect();
    let tell_apart = lines.windows(2).all(|pair| pair[0] < pair[1]);
    let spot = |(line, number)| if tell_apart { Spot::Line(line) } else { Spot::Record(number) };
    Ok(lines.into_iter().zip(1..).map(spot).zip(parts.into_iter().map(RawValue::get)).collect())
}

/// The fields of a record. What is in those that say nothing here is not looked at: it may be what no reader holds.
pub(super) fn object(spot: Spot, json: &str) -> Result<Object<'_>> {
    Object::parse(json).map_err(|error| {
        let message = match error.is_data() {
            true => {
                let found = serde_json::from_str(json);
                format!("a record must be an object, found {}", found.as_ref().map_or("something else", kind))
            }
            false => format!("not JSON: {}", no_json(json, &error)),
        };
        flaw(spot, None, &message)
    })
}

/// What a field holds.
pub(super) fn parsed(value: &RawValue) -> std::result::Result<Value, String> {
    serde_json::from_str(value.get()).map_err(|error| fault(value.get(), &error))
}

fn read_record(spot: Spot, json: &str, layout: &Layout) -> Result<Found> {
    let object = object(spot, json)?;
    let at = |field: &str, message: &str| flaw(spot, Some(field), message);
    let text = read_text(&object, &layout.text_field).map_err(|message| at(&layout.text_field, &message))?;
    // The text is nothing else, whatever its field is called; and as in `batch`, null says nothing.
    let get = |name: &str| object.get(name).filter(|_| name != layout.text_field);
    let is_there = |name: &str| get(name).is_some();
    let field = label_field(is_there, layout);
    let Some(truth) = get(&field) else {
        let (field, message) = no_truth(&object, layout);
        return Err(at(field, &message));
    };
    let truth = parsed(truth).and_then(|value| Ok((read_truth(&value)?, read_weights(&value)?)));
    let (labels, weights) = truth.map_err(|message| at(&field, &message))?;
    // Where a field is named, the same options read it again; one called so may be the user's own.
    let restate = layout.label_field.is_none() && field != TRUE_LABELS && labels.iter().any(|one| one.may_be_number);
    let candidates = candidates_field(&field, is_there).filter(|_| layout.labels.is_none());
    let candidates = candidates.and_then(|name| Some((name, get(name)?))).map(|(name, value)| {
        let value = parsed(value).map_err(|message| at(name, &message))?;
        LabelSet::from_json(&value, &layout.label_separator).map_err(|error| at(name, &error.to_string()))
    });
    let [prompt, examples, rac_examples] = OWN_FIELDS;
    let own = Own {
        prompt: own::<String>(get(prompt), prompt, spot)?.map(Arc::from),
        examples: own::<Vec<_>>(get(examples), examples, spot)?.map(Arc::from),
        rac_examples: own::<Vec<_>>(get(rac_examples), rac_examples, spot)?.map(Arc::from),
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
fn own<T: DeserializeOwned>(value: Option<&RawValue>, name: &str, spot: Spot) -> Result<Option<T>> {
    let Some(json) = value.map(RawValue::get) else { return Ok(None) };
    serde_json::from_str(json).map(Some).map_err(|error| flaw(spot, Some(name), &fault(json, &error)))
}

pub(super) fn label_field(is_there: impl Fn(&str) -> bool, layout: &Layout) -> String {
    let usual = || LABEL_FIELDS.into_iter().find(|field| is_there(field)).unwrap_or(LABEL_FIELDS[0]);
    layout.label_field.clone().unwrap_or_else(|| usual().to_owned())
}

fn read_text(object: &Object, field: &str) -> std::result::Result<String, String> {
    match object.get(field).map(parsed).transpose()? {
        Some(Value::String(text)) => Ok(text),
        None if !object.has(field) => Err(missing("--text-field")),
        other => Err(format!("must be a string, found {}", kind(&other.unwrap_or_default()))),
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
pub(super) fn no_truth<'a>(object: &Object, layout: &'a Layout) -> (&'a str, String) {
    let [usual, other] = LABEL_FIELDS;
    let named = layout.label_field.as_deref();
    let mut could_hold = named.into_iter().chain(LABEL_FIELDS.into_iter().filter(|_| named.is_none()));
    if let Some(field) = could_hold.find(|field| object.has(field) && object.get(field).is_none()) {
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
