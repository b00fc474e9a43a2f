//! JSONL: one JSON object a line, which comes out byte for byte as it went in, with fields added.
//!
//! - Fields are found in the line and new ones are spliced in before its closing brace; nothing else moves.
//! - A field that is there already and is written again has its value replaced where it stands.
//! - Of a key given twice the last one counts, as in most JSON readers.
//! - A byte order mark, CRLF and blank lines stay; a last line without an end gets one.

use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead, Read};
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::{DeserializeOwned, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Defaults, Entry, LabelSet, Record};
use crate::error::{Error, Result};

/// A line longer than this is no JSONL, but a file without lines.
const LONGEST_LINE: u64 = 1 << 30;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A line of input, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// All its bytes, the line end too.
    bytes: Vec<u8>,
}

impl Line {
    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing on it. It is written back as it is, and is no record.
    pub fn is_blank(&self) -> bool {
        self.bytes.trim_ascii().is_empty()
    }

    /// Appends the line to `out` with `fields` (names and JSON values) set in it.
    ///
    /// A line that is no JSON object becomes one, with the line as its field `input`.
    pub fn write(&self, fields: &[(&str, String)], out: &mut Vec<u8>) {
        let (mark, content, end) = self.parts();
        match std::str::from_utf8(content).ok().and_then(|text| Some((text, Object::parse(text).ok()?))) {
            Some((text, object)) => {
                out.extend_from_slice(mark);
                object.splice(text, fields, out);
            }
            None => {
                let input = json_string(&String::from_utf8_lossy(content));
                let text = "{}";
                let mut all = vec![("input", input)];
                all.extend_from_slice(fields);
                Object::default().splice(text, &all, out);
            }
        }
        out.extend_from_slice(if end.is_empty() { b"\n" } else { end });
    }

    /// Appends the line as it was read.
    pub fn write_unchanged(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
        if !self.bytes.ends_with(b"\n") {
            out.push(b'\n');
        }
    }

    /// Byte order mark, content, line end.
    fn parts(&self) -> (&[u8], &[u8], &[u8]) {
        let mark = if self.number == 1 && self.bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let (mark, rest) = self.bytes.split_at(mark);
        let end = match rest {
            [.., b'\r', b'\n'] => 2,
            [.., b'\n'] => 1,
            _ => 0,
        };
        let (content, end) = rest.split_at(rest.len() - end);
        (mark, content, end)
    }
}

/// A string as JSON.
pub fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The fields of a JSON object, where they stand in its text.
#[derive(Default)]
struct Object<'a> {
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Object<'a> {
    fn parse(text: &'a str) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let fields = deserializer.deserialize_map(Fields)?;
        deserializer.end()?;
        Ok(Self { fields })
    }

    /// The last field of this name that is not null.
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        let (_, value) = self.fields.iter().rev().find(|(key, _)| key == name)?;
        (value.get() != "null").then_some(*value)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let value = self.get(name).map(|value| serde_json::from_str(value.get())).transpose();
        value.map_err(|error| Error::Record(format!("field {name:?}: {}", without_place(&error))))
    }

    /// Where the value stands in `text`, of which it is a part.
    fn end_of(text: &str, value: &RawValue) -> usize {
        value.get().as_ptr() as usize - text.as_ptr() as usize + value.get().len()
    }

    /// Appends `text`, this object, to `out` with `fields` set in it.
    fn splice(&self, text: &str, fields: &[(&str, String)], out: &mut Vec<u8>) {
        let mut copied = 0;
        let mut added: Vec<&(&str, String)> = fields.iter().collect();
        for (index, (key, value)) in self.fields.iter().enumerate() {
            let last = !self.fields[index + 1..].iter().any(|(other, _)| other == key);
            let Some(new) = added.iter().position(|(name, _)| last && name == key) else { continue };
            let end = Self::end_of(text, value);
            out.extend_from_slice(text[copied..end - value.get().len()].as_bytes());
            out.extend_from_slice(added.remove(new).1.as_bytes());
            copied = end;
        }
        let brace = text.find('{').map_or(0, |brace| brace + 1);
        let end = self.fields.last().map_or(brace, |(_, value)| Self::end_of(text, value));
        out.extend_from_slice(text[copied..end].as_bytes());
        let mut first = self.fields.is_empty();
        for (name, value) in added {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(format!("{}:{value}", json_string(name)).as_bytes());
        }
        out.extend_from_slice(text[end..].as_bytes());
    }
}

/// Reads an object's fields in order, twice given ones too.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((Key(key), value)) = map.next_entry()? {
            fields.push((key, value));
        }
        Ok(fields)
    }
}

/// A key, borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Which fields of a record say what.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The field that holds the text.
    pub text_field: String,
    /// What holds where a record says nothing.
    pub defaults: Defaults,
}

/// Reads records from JSONL.
pub struct Reader<B> {
    input: B,
    name: PathBuf,
    reading: Reading,
    number: u64,
    /// The labels of the last record that had its own: the next often has the same.
    labels: Option<(String, Arc<LabelSet>)>,
}

impl<B: BufRead> Reader<B> {
    /// A reader of `input`, which is called `name` in messages.
    pub fn new(input: B, name: impl Into<PathBuf>, reading: Reading) -> Self {
        Self { input, name: name.into(), reading, number: 0, labels: None }
    }

    fn line(&mut self) -> Result<Option<Line>> {
        let mut bytes = Vec::new();
        let mut limited = self.input.by_ref().take(LONGEST_LINE);
        let read = limited.read_until(b'\n', &mut bytes).map_err(|error| Error::io(&self.name, error))?;
        self.number += 1;
        if read as u64 == LONGEST_LINE && !bytes.ends_with(b"\n") {
            let (name, number) = (self.name.display(), self.number);
            return Err(Error::Usage(format!("{name}:{number}: longer than 1 GiB: is this JSONL, one object a line?")));
        }
        Ok((read > 0).then_some(Line { number: self.number, bytes }))
    }

    fn record(&mut self, line: &Line) -> Result<Record> {
        let (_, content, _) = line.parts();
        let text = std::str::from_utf8(content)
            .map_err(|error| Error::Record(format!("invalid UTF-8 at byte {}", error.valid_up_to() + 1)))?;
        let object = Object::parse(text).map_err(|error| {
            Error::Record(format!("not a JSON object: {} at column {}", without_place(&error), error.column()))
        })?;
        let field = &self.reading.text_field;
        let text = object.read(field)?.ok_or_else(|| Error::Record(format!("no field {field:?} with a text")))?;
        let defaults = &self.reading.defaults;
        Ok(Record {
            text,
            prompt: object.read::<String>("prompt")?.map_or_else(|| defaults.prompt.clone(), |own| Some(own.into())),
            examples: object.read::<Vec<_>>("examples")?.map_or_else(|| defaults.examples.clone(), Arc::from),
            rac_examples: object
                .read::<Vec<_>>("rac_examples")?
                .map_or_else(|| defaults.rac_examples.clone(), Arc::from),
            labels: self.labels(&object)?,
        })
    }

    fn labels(&mut self, object: &Object) -> Result<Arc<LabelSet>> {
        let defaults = &self.reading.defaults;
        let Some(own) = object.get("labels") else { return defaults.labels.clone().ok_or_else(super::no_labels) };
        if let Some((_, labels)) = self.labels.as_ref().filter(|(json, _)| json == own.get()) {
            return Ok(Arc::clone(labels));
        }
        let labels = serde_json::from_str(own.get())
            .map_err(|error| Error::Record(without_place(&error)))
            .and_then(|value| LabelSet::from_json(&value, &defaults.label_separator))
            .map_err(|error| Error::Record(format!("field \"labels\": {error}")))?;
        let labels = Arc::new(labels);
        self.labels = Some((own.get().to_owned(), Arc::clone(&labels)));
        Ok(labels)
    }
}

impl<B: BufRead> Iterator for Reader<B> {
    type Item = Result<Entry<Line>>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.line().transpose()?;
        Some(line.map(|raw| Entry { bytes: raw.bytes.len(), record: self.record(&raw), raw }))
    }
}

/// What serde_json says, without the line (always 1) and column of a part of the line.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rfind(" at line ").map_or(text.clone(), |place| text[..place].to_owned())
}
