//! Parquet as JSON lines: a row becomes an object, without the fields that say nothing.
//!
//! Of a file of Hugging Face's `datasets` labels are numbers, and their names stand in its footer.

use std::collections::HashMap;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::KeyValue;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::Type;
use serde_json::{Map, Value};

use super::json::{candidates_field, label_field};
use super::{CANDIDATES_FIELDS, LABEL_FIELDS, Layout, OWN_FIELDS, Spot, check_pairs, flaw, probability};
use crate::error::{Error, Result};
use crate::records::names::{ERROR, PREDICTED_LABELS, PREDICTED_SCORES};
use crate::records::parquet::{guarded, words};

/// The rows of a file as JSON lines: whole where that is wanted, else their texts, labels and predictions, which come
/// into the `output_field`; without one what they say beside.
pub(super) fn lines(bytes: Vec<u8>, layout: &Layout, output_field: Option<&str>) -> Result<String> {
    let read = || {
        let file = SerializedFileReader::new(Bytes::from(bytes))?;
        let schema = file.metadata().file_metadata().schema();
        let columns = if layout.whole { None } else { projection(schema, |name| is_used(name, layout, output_field))? };
        let pairs = file.metadata().file_metadata().key_value_metadata();
        let names = class_names(pairs.map_or(&[], Vec::as_slice));
        let mut lines = String::new();
        for (number, row) in (1..).zip(file.get_row_iter(columns)?) {
            if let Value::Object(mut fields) = row?.to_json_value() {
                fields.retain(|_, value| !value.is_null());
                name_labels(&mut fields, &names, layout);
                if let Some(field) = output_field {
                    let paired = pair_predictions(&mut fields, field, Spot::Line(number));
                    paired.map_err(|error| ParquetError::General(error.to_string()))?;
                }
                lines += &Value::Object(fields).to_string();
                lines.push('\n');
            }
        }
        Ok(lines)
    };
    guarded(read).map_err(|error| Error::Record(words(&error)))
}

/// The columns that are used; nothing where none is, so that what is missing can be said of the first row.
fn projection(schema: &Type, is_used: impl Fn(&str) -> bool) -> ParquetResult<Option<Type>> {
    let used: Vec<_> = schema.get_fields().iter().filter(|field| is_used(field.name())).cloned().collect();
    if used.is_empty() {
        return Ok(None);
    }
    Type::group_type_builder(schema.name()).with_fields(used).build().map(Some)
}

/// Whether a column holds the text or labels, or predictions where those are wanted, else what a row says beside.
fn is_used(column: &str, layout: &Layout, output_field: Option<&str>) -> bool {
    let is_other = match output_field {
        Some(field) => [field, PREDICTED_LABELS, PREDICTED_SCORES, ERROR].contains(&column),
        None => OWN_FIELDS.contains(&column),
    };
    let is_truth = layout.label_field.as_deref().map_or(LABEL_FIELDS.contains(&column), |field| field == column);
    is_truth || column == layout.text_field || CANDIDATES_FIELDS.contains(&column) || is_other
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

/// Puts the two lists that `batch` writes into the `output_field`, as the one that it writes in JSON.
fn pair_predictions(fields: &mut Map<String, Value>, output_field: &str, spot: Spot) -> Result<()> {
    let [Some(Value::Array(labels)), Some(Value::Array(scores))] =
        [PREDICTED_LABELS, PREDICTED_SCORES].map(|name| fields.get(name))
    else {
        return Ok(());
    };
    check_pairs(spot, labels.len(), scores.len(), "write one for each")?;
    // Here, where the name of their column is known; of a cell without a number it is said that it must have one.
    for score in scores.iter().filter_map(Value::as_f64) {
        probability(score as f32).map_err(|message| flaw(spot, Some(PREDICTED_SCORES), &message))?;
    }
    let pair = |(label, score)| serde_json::json!({ "label": label, "score": score });
    let pairs = labels.iter().zip(scores).map(pair).collect();
    fields.entry(output_field).or_insert(pairs);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use parquet::data_type::{ByteArray, ByteArrayType};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    /// A row whose cells are the names of their columns.
    fn row_of(columns: &[&str]) -> Vec<u8> {
        let fields: String = columns.iter().map(|column| format!("required binary {column} (STRING); ")).collect();
        let schema = parse_message_type(&format!("message table {{ {fields}}}")).unwrap();
        let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        for &name in columns {
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&[ByteArray::from(name)], None, None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.into_inner().unwrap()
    }

    fn layout(label_field: Option<&str>, whole: bool) -> Layout {
        Layout {
            text_field: "text".into(),
            label_field: label_field.map(str::to_owned),
            list_separator: "|".into(),
            label_separator: ".".into(),
            labels: None,
            whole,
        }
    }

    #[test]
    fn only_columns_that_are_used_are_read_unless_records_are_wanted_whole() {
        let file = || row_of(&["id", "text", "label", "topic", "prompt"]);
        for (label_field, whole, expected) in [
            (None, false, r#"{"text":"text","label":"label","prompt":"prompt"}"#),
            (Some("topic"), false, r#"{"text":"text","topic":"topic","prompt":"prompt"}"#),
            (None, true, r#"{"id":"id","text":"text","label":"label","topic":"topic","prompt":"prompt"}"#),
        ] {
            let lines = lines(file(), &layout(label_field, whole), None).unwrap();
            assert_eq!(lines, format!("{expected}\n"));
        }
    }

    #[test]
    fn where_no_column_is_used_there_is_still_a_row_to_speak_of() {
        assert_eq!(lines(row_of(&["id"]), &layout(None, false), None).unwrap(), "{\"id\":\"id\"}\n");
    }

    #[test]
    fn two_lists_are_predictions_of_the_field_that_is_named_and_none_is_cut_short() {
        let paired = |scores: Value| {
            let lists = serde_json::json!({ PREDICTED_LABELS: ["x", "y"], PREDICTED_SCORES: scores });
            let mut fields = lists.as_object().cloned().unwrap();
            pair_predictions(&mut fields, "said", Spot::Line(7)).map(|()| fields.remove("said"))
        };
        let expected = serde_json::json!([{ "label": "x", "score": 0.75 }, { "label": "y", "score": 0.5 }]);
        assert_eq!(paired(serde_json::json!([0.75, 0.5])).unwrap(), Some(expected));
        for (scores, expected) in [
            (serde_json::json!([0.75]), "1 scores for 2 labels: write one for each"),
            (serde_json::json!([0.75, 2]), "the score 2 is not from 0 to 1"),
        ] {
            let error = paired(scores).unwrap_err().to_string();
            assert_eq!(error, format!("line 7, field \"predicted_scores\": {expected}"));
        }
    }
}
