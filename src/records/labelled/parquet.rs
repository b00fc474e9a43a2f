//! Parquet as JSON lines: a row becomes an object, without the fields that say nothing.
//!
//! Of a file of Hugging Face's `datasets` labels are numbers, and their names stand in its footer.

use std::collections::HashMap;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;
use serde_json::{Map, Value};

use super::json::{candidates_field, label_field};
use super::{CANDIDATES_FIELDS, LABEL_FIELDS, Layout, OWN_FIELDS, Spot, TRUE_LABELS, check_pairs, flaw, probability};
use crate::error::{Error, Result};
use crate::records::names::{ERROR, PREDICTED_LABELS, PREDICTED_SCORES};
use crate::records::parquet::{check_packing, find_text, guarded, words};

/// The rows of a file as JSON lines: whole where that is wanted, else their texts, labels and predictions, which come
/// into the `output_field`; without one what they say beside.
pub(super) fn lines(bytes: Vec<u8>, layout: &Layout, output_field: Option<&str>) -> Result<String> {
    let failure = |error| Error::Record(words(&error));
    let file = guarded(|| SerializedFileReader::new(Bytes::from(bytes))).map_err(failure)?;
    let schema = file.metadata().file_metadata().schema();
    let flags = flags(schema, layout)?;
    let is_used =
        |name: &str| layout.whole || is_used(name, layout, output_field) || flags.iter().any(|label| label == name);
    guarded(|| Ok(check(file.metadata(), &layout.text_field, is_used))).map_err(failure)??;
    let read = || {
        let pairs = file.metadata().file_metadata().key_value_metadata();
        let names = class_names(pairs.map_or(&[], Vec::as_slice));
        let mut lines = String::new();
        for (number, row) in (1..).zip(file.get_row_iter(Some(projection(schema, is_used)?))?) {
            let cells = row?.into_columns();
            let mut fields: Map<_, _> = cells.into_iter().map(|(name, cell)| (name, value(&cell))).collect();
            // What must be there is told from what is.
            fields.retain(|name, value| !value.is_null() || *name == layout.text_field || may_be_truth(name, layout));
            name_labels(&mut fields, &names, layout);
            let told = |error: Error| ParquetError::General(error.to_string());
            name_flags(&mut fields, flags, Spot::Row(number)).map_err(told)?;
            if let Some(field) = output_field {
                pair_predictions(&mut fields, field, Spot::Row(number)).map_err(told)?;
            }
            lines += &Value::Object(fields).to_string();
            lines.push('\n');
        }
        Ok(lines)
    };
    guarded(read).map_err(failure)
}

/// The labels that have a column of 0 and 1 each, where these say what is true, and no other column does.
fn flags<'a>(schema: &Type, layout: &'a Layout) -> Result<&'a [String]> {
    let is_there = |name: &str| schema.get_fields().iter().any(|field| field.name() == name);
    let field = label_field(is_there, layout);
    if is_there(&field) {
        return Ok(&[]);
    }
    let labels = layout.labels.as_ref().map_or(&[][..], |labels| labels.names());
    if layout.label_field.is_some() || !labels.iter().any(|label| is_there(label)) {
        let [usual, other] = LABEL_FIELDS;
        let missing =
            layout.label_field.as_ref().map_or(format!("{usual:?} or {other:?}"), |field| format!("{field:?}"));
        return Err(Error::Record(format!(
            "no column {missing}: name the one with the true labels with --label-field, or columns of 0 and 1 with \
             --labels"
        )));
    }
    match labels.iter().find(|label| !is_there(label)) {
        None => Ok(labels),
        Some(label) => Err(Error::Record(format!(
            "no column {label:?}: give every label one of 0 and 1, or name the one with the true labels with --label-field"
        ))),
    }
}

/// Checks that there is a column with the text, and that those that are used can be read.
fn check(metadata: &ParquetMetaData, text_field: &str, is_used: impl Fn(&str) -> bool) -> Result<()> {
    let schema = metadata.file_metadata().schema_descr();
    find_text(schema, text_field).map_err(Error::Record)?;
    let used = (0..schema.num_columns()).filter(|&column| is_used(schema.get_column_root(column).name()));
    check_packing(metadata, used).map_err(Error::Record)
}

/// The columns that are used.
fn projection(schema: &Type, is_used: impl Fn(&str) -> bool) -> ParquetResult<Type> {
    let used = schema.get_fields().iter().filter(|field| is_used(field.name())).cloned().collect();
    Type::group_type_builder(schema.name()).with_fields(used).build()
}

/// Whether a column holds the text or labels, or predictions where those are wanted, else what a row says beside.
fn is_used(column: &str, layout: &Layout, output_field: Option<&str>) -> bool {
    let is_other = match output_field {
        Some(field) => [field, PREDICTED_LABELS, PREDICTED_SCORES, ERROR].contains(&column),
        None => OWN_FIELDS.contains(&column),
    };
    may_be_truth(column, layout) || column == layout.text_field || CANDIDATES_FIELDS.contains(&column) || is_other
}

fn may_be_truth(column: &str, layout: &Layout) -> bool {
    layout.label_field.as_deref().map_or(LABEL_FIELDS.contains(&column), |field| field == column)
}

/// What a cell says; bytes of which the file does not say that they are text may yet be, as in `batch`.
fn value(cell: &Field) -> Value {
    match cell {
        Field::Bytes(bytes) => bytes.as_utf8().map_or_else(|_| cell.to_json_value(), Value::from),
        _ => cell.to_json_value(),
    }
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
    let is_there = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    let truth = label_field(is_there, layout);
    if let (Some(names), None) = (names.get(&truth), candidates_field(&truth, is_there)) {
        fields.insert(CANDIDATES_FIELDS[0].to_owned(), names.clone().into());
    }
}

/// Puts the labels beside a row whose columns hold 1.
fn name_flags(fields: &mut Map<String, Value>, labels: &[String], spot: Spot) -> Result<()> {
    if labels.is_empty() {
        return Ok(());
    }
    let mut truth = Vec::new();
    for label in labels {
        let cell = fields.get(label).unwrap_or(&Value::Null);
        let unclear = || {
            let message = format!("{cell} is neither 0 nor 1, which say whether this label is true");
            flaw(spot, Some(label), &message)
        };
        if is_one(cell).ok_or_else(unclear)? {
            truth.push(Value::from(label.as_str()));
        }
    }
    fields.insert(TRUE_LABELS.to_owned(), truth.into());
    Ok(())
}

fn is_one(cell: &Value) -> Option<bool> {
    let number = || cell.as_f64().or_else(|| cell.as_str()?.trim().parse().ok());
    let flag = || [false, true].into_iter().find(|&flag| number() == Some(f64::from(u8::from(flag))));
    cell.as_bool().or_else(flag)
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

    use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
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

    /// Two rows with a column for each of two labels.
    fn flagged(politics: [i64; 2]) -> Vec<u8> {
        let schema = "message table { required binary text; required boolean sport; required int64 politics; }";
        let schema = parse_message_type(schema).unwrap();
        let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&["x", "y"].map(ByteArray::from), None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<BoolType>().write_batch(&[true, false], None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&politics, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.into_inner().unwrap()
    }

    #[test]
    fn a_cell_of_0_or_1_may_be_a_number_a_flag_or_text() {
        let cells = [Value::from(1), Value::from(0.0), Value::from(true), Value::from(" 0"), Value::from("1")];
        assert_eq!(cells.map(|cell| is_one(&cell)), [true, false, true, false, true].map(Some));
        assert_eq!([Value::from("2"), Value::from("yes"), Value::Null].map(|cell| is_one(&cell)), [None; 3]);
    }

    #[test]
    fn columns_of_0_and_1_say_which_of_the_labels_of_the_command_are_true() {
        let read = |politics, labels: &[&str]| {
            let labels = labels.iter().map(|&label| label.to_owned()).collect();
            let labels = Some(Arc::new(crate::records::LabelSet::flat(labels).unwrap()));
            lines(flagged(politics), &Layout { labels, ..layout(None, false) }, None).map_err(|error| error.to_string())
        };
        let first = r#"{"text":"x","sport":true,"politics":1,"true_labels":["politics","sport"]}"#;
        let second = r#"{"text":"y","sport":false,"politics":0,"true_labels":[]}"#;
        assert_eq!(read([1, 0], &["politics", "sport"]).unwrap(), format!("{first}\n{second}\n"));
        let unclear = "row 2, field \"politics\": 2 is neither 0 nor 1, which say whether this label is true";
        assert_eq!(read([1, 2], &["politics", "sport"]).unwrap_err(), unclear);
        let missing = read([1, 0], &["sport", "war"]).unwrap_err();
        assert!(missing.starts_with("no column \"war\": give every label one of 0 and 1"), "{missing}");
        let missing = read([1, 0], &["war"]).unwrap_err();
        assert!(missing.starts_with("no column \"true_labels\" or \"label\": "), "{missing}");
    }

    #[test]
    fn without_a_column_of_true_labels_it_is_said_what_to_name() {
        for (label_field, column) in [(None, r#""true_labels" or "label""#), (Some("topic"), r#""topic""#)] {
            let error = lines(row_of(&["text"]), &layout(label_field, false), None).unwrap_err().to_string();
            assert!(error.starts_with(&format!("no column {column}: name the one")), "{error}");
        }
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
