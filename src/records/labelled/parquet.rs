//! Parquet as JSON lines: a row becomes an object, without the fields that say nothing.
//!
//! Of a file of Hugging Face's `datasets` labels are numbers, and their names stand in its footer.

use std::collections::HashMap;

use bytes::Bytes;
use parquet::file::metadata::KeyValue;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Map, Value};

use super::json::{candidates_field, label_field};
use super::ready::{PREDICTED_LABELS, PREDICTED_SCORES};
use super::{CANDIDATES_FIELDS, Layout};
use crate::error::{Error, Result};
use crate::records::parquet::{guarded, words};

/// The rows of a file as JSON lines.
pub(super) fn lines(bytes: &[u8], layout: &Layout) -> Result<String> {
    let read = || {
        let file = SerializedFileReader::new(Bytes::copy_from_slice(bytes))?;
        let pairs = file.metadata().file_metadata().key_value_metadata();
        let names = class_names(pairs.map_or(&[], Vec::as_slice));
        let mut lines = String::new();
        for row in file.get_row_iter(None)? {
            if let Value::Object(mut fields) = row?.to_json_value() {
                fields.retain(|_, value| !value.is_null());
                name_labels(&mut fields, &names, layout);
                pair_predictions(&mut fields);
                lines += &Value::Object(fields).to_string();
                lines.push('\n');
            }
        }
        Ok(lines)
    };
    guarded(read).map_err(|error| Error::Record(words(&error)))
}

/// The names of the labels that are numbers, by the field that holds them.
fn class_names(pairs: &[KeyValue]) -> HashMap<String, Vec<Value>> {
    let described = pairs.iter().find(|pair| pair.key == "huggingface").and_then(|pair| pair.value.as_deref());
    let described: Value = described.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let of_field = |(field, kind): (&String, &Value)| {
        let names = kind.get("names").or_else(|| kind.get("feature")?.get("names"))?.as_array()?;
        names.iter().all(Value::is_string).then(|| (field.clone(), names.clone()))
    };
    described["info"]["features"].as_object().into_iter().flatten().filter_map(of_field).collect()
}

/// Puts names for numbers; all names of the true labels' field are candidates, where there are no others.
fn name_labels(fields: &mut Map<String, Value>, names: &HashMap<String, Vec<Value>>, layout: &Layout) {
    for (field, names) in names {
        let name = |value: &mut Value| {
            let named = value.as_u64().and_then(|number| names.get(usize::try_from(number).ok()?));
            *value = named.cloned().unwrap_or_else(|| value.take());
        };
        match fields.get_mut(field) {
            Some(Value::Array(values)) => values.iter_mut().for_each(name),
            Some(value) => name(value),
            None => {}
        }
    }
    let truth = label_field(|name| fields.contains_key(name), layout);
    if let (Some(names), None) = (names.get(&truth), candidates_field(&truth, |name| fields.contains_key(name))) {
        fields.insert(CANDIDATES_FIELDS[0].to_owned(), names.clone().into());
    }
}

/// The two lists that `batch` writes as the one that it writes in JSON.
fn pair_predictions(fields: &mut Map<String, Value>) {
    let [Some(Value::Array(labels)), Some(Value::Array(scores))] =
        [PREDICTED_LABELS, PREDICTED_SCORES].map(|name| fields.get(name))
    else {
        return;
    };
    let pair = |(label, score)| serde_json::json!({ "label": label, "score": score });
    let pairs = labels.iter().zip(scores).map(pair).collect();
    fields.entry("predictions").or_insert(pairs);
}
