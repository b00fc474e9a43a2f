//! JSONL: one JSON object a line, which comes out byte for byte as it went in, with fields added.
//!
//! - Fields are found in the line and new ones are spliced in before its closing brace; nothing else moves.
//! - A field that is there already and is written again has its value replaced where it stands.
//! - Of a key given twice the last one counts, as in most JSON readers.
//! - A byte order mark, CRLF and blank lines stay; a last line without an end gets one.

use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::{DeserializeOwned, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::distinct::Distinct;
use super::input::{Input, Stream};
use super::unicode::{BYTE_ORDER_MARK, not_utf8};
use super::{Entry, LONGEST, LabelSet, Place, Raw, Reading, Record, Source, begins_as_parquet};
use crate::error::{Error, Result};

/// What Python's `json` writes, and JSON does not know.
const NO_NUMBERS: [&str; 2] = ["NaN", "Infinity"];

/// A line of input, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    place: Place,
    /// All its bytes, the line end too.
    bytes: Vec<u8>,
}

impl Raw for Line {
    fn begin(&self) -> Place {
        self.place
    }

    fn end(&self) -> Place {
        Place { line: self.place.line + 1, byte: self.place.byte + self.bytes.len() as u64 }
    }

    /// As it is written: the end that a last line lacks is the first byte of what is appended to a stream.
    fn fingerprint(&self, hash: &mut Sha256) {
        hash.update(&self.bytes);
        if !self.bytes.ends_with(b"\n") {
            hash.update(b"\n");
        }
    }
}

impl Line {
    /// A JSON object on one line, without a line end.
    pub fn of_object(object: String) -> Self {
        Self { place: Place::START, bytes: object.into_bytes() }
    }

    /// Whether there is nothing on it, but perhaps a byte order mark. It is written back as it is, and is no record.
    pub fn is_blank(&self) -> bool {
        let (_, content, _) = self.parts();
        content.trim_ascii().is_empty()
    }

    /// Whether it begins as an object does.
    pub fn begins_object(&self) -> bool {
        let (_, content, _) = self.parts();
        content.trim_ascii_start().starts_with(b"{")
    }

    /// Appends the line to `out` with `fields` (names and JSON values) set in it. `earlier` are the fields that an
    /// earlier run may have left, first the one that every run writes: where that is there, those that are not set
    /// become null, for what they say is no answer of this run. An `error` without it may be the user's own: it stays,
    /// and the name of the first field that does is returned.
    ///
    /// A line that is no JSON object becomes one, with the line as its field `input`.
    pub fn write<'a>(&self, fields: &[(&str, String)], earlier: &[&'a str], out: &mut Vec<u8>) -> Option<&'a str> {
        let mut stays = None;
        let (mark, content, end) = self.parts();
        match std::str::from_utf8(content).ok().and_then(|text| Some((text, Object::parse(text).ok()?))) {
            Some((text, object)) => {
                out.extend_from_slice(mark);
                let is_earlier = earlier.first().is_some_and(|name| object.has(name));
                let is_unset = |name: &&str| object.get(name).is_some() && fields.iter().all(|(set, _)| set != name);
                let mut unset: Vec<&str> = earlier.iter().copied().filter(is_unset).collect();
                if !is_earlier {
                    stays = unset.drain(..).next();
                }
                let nulls = unset.into_iter().map(|name| (name, "null".to_owned()));
                object.splice(text, &fields.iter().cloned().chain(nulls).collect::<Vec<_>>(), out);
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
        stays
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
        let mark =
            if self.place.byte == 0 && self.bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
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
pub(super) struct Object<'a> {
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Object<'a> {
    pub(super) fn parse(text: &'a str) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let fields = deserializer.deserialize_map(Fields)?;
        deserializer.end()?;
        Ok(Self { fields })
    }

    /// Whether there is a field of this name, be it null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(key, _)| key == name)
    }

    /// The last field of this name, if it is not null.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let (_, value) = self.fields.iter().rev().find(|(key, _)| key == name)?;
        (value.get() != "null").then_some(*value)
    }

    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let Some(value) = self.get(name).map(RawValue::get) else { return Ok(None) };
        let read = serde_json::from_str(value).map(Some);
        read.map_err(|error| Error::Record(format!("field {name:?}: {}", fault(value, &error))))
    }

    /// Where the value ends in `text`, of which it is a part.
    fn end_of(text: &str, value: &RawValue) -> usize {
        value.get().as_ptr() as usize - text.as_ptr() as usize + value.get().len()
    }

    /// Appends `text`, this object, to `out` with `fields` set in it.
    fn splice(&self, text: &str, fields: &[(&str, String)], out: &mut Vec<u8>) {
        let bytes = text.as_bytes();
        let mut copied = 0;
        let mut added: Vec<&(&str, String)> = fields.iter().collect();
        for (index, (key, value)) in self.fields.iter().enumerate() {
            let Some(new) = added.iter().position(|(name, _)| name == key) else { continue };
            if self.fields[index + 1..].iter().any(|(other, _)| other == key) {
                continue;
            }
            let end = Self::end_of(text, value);
            out.extend_from_slice(&bytes[copied..end - value.get().len()]);
            out.extend_from_slice(added.remove(new).1.as_bytes());
            copied = end;
        }
        let brace = text.find('{').map_or(0, |brace| brace + 1);
        let end = self.fields.last().map_or(brace, |(_, value)| Self::end_of(text, value));
        out.extend_from_slice(&bytes[copied..end]);
        let mut first = self.fields.is_empty();
        for (name, value) in added {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(format!("{}:{value}", json_string(name)).as_bytes());
        }
        out.extend_from_slice(&bytes[end..]);
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

/// Refuses an input that is one JSON array, Parquet, or in UTF-16: every line of it would be a bad record. Looks at what
/// can be had of it at once.
///
/// # Errors
/// It begins as an array of objects, or an array of lines, does, or as Parquet or UTF-16; or it cannot be read.
pub fn refuse_other(input: &mut Input) -> Result<()> {
    input.refuse_utf16()?;
    let start = input.start()?;
    let what = if begins_as_parquet(start) {
        "is Parquet, not JSONL: `gliclass batch` reads it from a file whose name ends in .parquet"
    } else if begins_array(start) {
        "is one JSON array, not one object per line: make it that with `jq -c '.[]'`"
    } else {
        return Ok(());
    };
    Err(Error::Usage(format!("{}: {what}", input.name.display())))
}

/// A line that only begins with a bracket may be a bad record among good ones.
fn begins_array(start: &[u8]) -> bool {
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start).trim_ascii_start();
    let Some(rest) = start.strip_prefix(b"[") else { return false };
    let first = rest.trim_ascii_start();
    first.starts_with(b"{") || rest[..rest.len() - first.len()].contains(&b'\n')
}

/// Reads records from JSONL.
pub struct Reader<B> {
    input: B,
    name: PathBuf,
    reading: Reading,
    /// Where the next line begins.
    place: Place,
    /// The labels of the last record that had its own: the next often has the same.
    labels: Option<(String, Arc<LabelSet>)>,
}

impl<B: BufRead> Reader<B> {
    /// A reader of `input`, which is called `name` in messages.
    pub fn new(input: B, name: impl Into<PathBuf>, reading: Reading) -> Self {
        Self { input, name: name.into(), reading, place: Place::START, labels: None }
    }

    fn line(&mut self) -> Result<Option<Line>> {
        let place = self.place;
        let failed = |error| Error::io(format!("{}:{}", self.name.display(), place.line), error);
        let mut bytes = Vec::new();
        let mut limited = self.input.by_ref().take(LONGEST);
        let read = limited.read_until(b'\n', &mut bytes).map_err(failed)?;
        if read as u64 == LONGEST && !bytes.ends_with(b"\n") {
            let (name, number) = (self.name.display(), place.line);
            return Err(Error::Usage(format!(
                "{name}:{number}: longer than 1 GiB: is this JSONL, one object per line?"
            )));
        }
        let line = Line { place, bytes };
        self.place = line.end();
        Ok((read > 0).then_some(line))
    }

    fn record(&mut self, line: &Line) -> Result<Record> {
        let (_, content, _) = line.parts();
        let text = std::str::from_utf8(content).map_err(|error| Error::Record(not_utf8(error)))?;
        let object = Object::parse(text).map_err(|error| {
            // What is JSON, but of another kind, is so as a whole.
            let what = if error.is_data() { without_place(&error) } else { no_json(text, &error) };
            Error::Record(format!("not a JSON object: {what}"))
        })?;
        let field = self.reading.text_field.as_str();
        let text = object.read(field)?.ok_or_else(|| no_text(field, &object))?;
        let labels = self.labels(&object)?;
        let Reading { text_field, defaults } = &self.reading;
        let prompt = own::<String>(&object, "prompt", text_field)?;
        let examples = own::<Vec<_>>(&object, "examples", text_field)?;
        let rac_examples = own::<Vec<_>>(&object, "rac_examples", text_field)?;
        Ok(Record {
            text,
            prompt: prompt.map_or_else(|| defaults.prompt.clone(), |own| Some(own.into())),
            examples: examples.map_or_else(|| defaults.examples.clone(), Arc::from),
            rac_examples: rac_examples.map_or_else(|| defaults.rac_examples.clone(), Arc::from),
            labels,
        })
    }

    fn labels(&mut self, object: &Object) -> Result<Arc<LabelSet>> {
        let defaults = &self.reading.defaults;
        let own = object.get("labels").filter(|_| self.reading.text_field != "labels");
        let Some(own) = own else { return defaults.labels.clone().ok_or_else(super::no_labels) };
        if let Some((_, labels)) = self.labels.as_ref().filter(|(json, _)| json == own.get()) {
            return Ok(Arc::clone(labels));
        }
        let labels = serde_json::from_str(own.get())
            .map_err(|error| Error::Record(fault(own.get(), &error)))
            .and_then(|Distinct(value)| LabelSet::from_json(&value, &defaults.label_separator))
            .map_err(|error| Error::Record(format!("field \"labels\": {error}")))?;
        let labels = Arc::new(labels);
        self.labels = Some((own.get().to_owned(), Arc::clone(&labels)));
        Ok(labels)
    }
}

/// What is said of an object without a text in `field`.
fn no_text(field: &str, object: &Object) -> Error {
    /// How many of its fields are named, and how many characters of each.
    const SHOWN: [usize; 2] = [5, 40];
    if object.has(field) {
        return Error::Record(format!("field {field:?} is null: write a text in it, or give --text-field NAME"));
    }
    if object.fields.is_empty() {
        return Error::Record(format!("no field {field:?}: the record is empty"));
    }
    let mut names: Vec<String> =
        object.fields.iter().take(SHOWN[0]).map(|(name, _)| name.chars().take(SHOWN[1]).collect()).collect();
    names.extend((object.fields.len() > SHOWN[0]).then(|| "...".into()));
    let names = names.join(", ");
    Error::Record(format!("no field {field:?} in the record ({names}): give --text-field NAME"))
}

/// A field of the record's own, unless it is the one that holds the text.
fn own<T: DeserializeOwned>(object: &Object, name: &str, text_field: &str) -> Result<Option<T>> {
    if name == text_field { Ok(None) } else { object.read(name) }
}

impl<B: BufRead> Iterator for Reader<B> {
    type Item = Result<Entry<Line>>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.line().transpose()?;
        Some(line.map(|raw| Entry { bytes: raw.bytes.len(), record: self.record(&raw), raw }))
    }
}

impl Source for Reader<Stream> {
    type Raw = Line;

    fn name(&self) -> &Path {
        &self.name
    }

    fn pass_over(&mut self) -> Result<Option<Line>> {
        self.line()
    }

    fn is_at_end(&mut self) -> Result<bool> {
        let next = self.input.fill_buf().map_err(|error| Error::io(&self.name, error))?;
        Ok(next.is_empty())
    }

    fn is_seekable(&self) -> bool {
        self.input.is_seekable()
    }

    fn seek(&mut self, place: Place) -> Result<()> {
        self.input.seek(SeekFrom::Start(place.byte)).map_err(|error| Error::io(&self.name, error))?;
        self.place = place;
        Ok(())
    }

    /// A file is read only around that byte. Lines are counted from there, and the input's name says so.
    fn seek_record(&mut self, byte: u64) -> Result<()> {
        if byte > 0 && self.is_seekable() {
            // A line that begins right here is seen by the line end before it.
            self.seek(Place { line: 0, byte: byte - 1 })?;
            self.line()?;
            self.name = format!("{} from byte {}", self.name.display(), self.place.byte).into();
            self.place.line = 1;
        }
        while self.place.byte < byte && self.line()?.is_some() {}
        Ok(())
    }
}

/// What is said of an escape without the other one that makes up a character with it.
const HALF: &str = "half of a character (\\ud800 to \\udfff alone)";

/// What serde_json says, without the line (always 1) and column of a part of the line.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string().replace("expected ident", "expected true, false or null");
    match text.rfind(" at line ").map_or(text.as_str(), |place| &text[..place]) {
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => HALF.to_owned(),
        said => said.to_owned(),
    }
}

/// Why `json` is none, of which serde_json says this, and in which column.
pub(super) fn no_json(json: &str, error: &serde_json::Error) -> String {
    let column = error.column();
    let line = json.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let rest = line.get(column.saturating_sub(1)..).unwrap_or_default();
    let what = match NO_NUMBERS.into_iter().find(|name| rest.starts_with(name)) {
        Some(name) => format!("{name} is not a number in JSON (write null instead)"),
        None => without_place(error),
    };
    format!("{what} at column {column}")
}

/// What is wrong with `json`, of which serde_json says this.
pub(super) fn fault(json: &str, error: &serde_json::Error) -> String {
    let said = without_place(error);
    match half_character(json).filter(|_| said == HALF) {
        Some((byte, half)) => format!("{half} at byte {byte} is half of a character: write both halves, or \\ufffd"),
        None => said,
    }
}

/// The first escape in `json` that stands for half of a character, and its place in bytes, from 1.
fn half_character(json: &str) -> Option<(usize, &str)> {
    let escape = |place: usize| json.get(place..place + 6).filter(|escape| escape.starts_with("\\u"));
    let unit = |place| u16::from_str_radix(&escape(place)?[2..], 16).ok();
    let mut place = 0;
    while let Some(passed) = json.get(place..).and_then(|rest| rest.find('\\')) {
        place += passed;
        place += match (unit(place), unit(place + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => return Some((place + 1, escape(place)?)),
            (Some(_), _) => 6,
            (None, _) => 2,
        };
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::records::Defaults;

    fn read(input: &[u8]) -> Vec<Entry<Line>> {
        let labels = Some(Arc::new(LabelSet::flat(vec!["a".into(), "b".into()]).unwrap()));
        let defaults = Defaults { labels, label_separator: ".".into(), ..Defaults::default() };
        let reading = Reading { text_field: "text".into(), defaults };
        Reader::new(input, "in.jsonl", reading).map(Result::unwrap).collect()
    }

    fn with(line: &str, fields: &[(&str, String)]) -> String {
        let mut out = Vec::new();
        read(line.as_bytes())[0].raw.write(fields, &[], &mut out);
        String::from_utf8(out).unwrap()
    }

    fn new_field() -> [(&'static str, String); 1] {
        [("new", "[1]".into())]
    }

    fn error(line: &str) -> String {
        read(line.as_bytes())[0].record.as_ref().unwrap_err().to_string()
    }

    #[test]
    fn a_field_is_added_and_nothing_else_changes() {
        let line = "{ \"text\" :\"a\\u00e9\", \"n\": 1.0e5,\t\"big\": 12345678901234567890 } \n";
        let expected = "{ \"text\" :\"a\\u00e9\", \"n\": 1.0e5,\t\"big\": 12345678901234567890,\"new\":[1] } \n";
        assert_eq!(with(line, &new_field()), expected);
    }

    #[test]
    fn the_field_that_holds_the_text_is_nothing_else_too() {
        let labels = Some(Arc::new(LabelSet::flat(vec!["a".into()]).unwrap()));
        let defaults = Defaults { labels, prompt: Some("sort".into()), ..Defaults::default() };
        for field in ["prompt", "labels"] {
            let reading = Reading { text_field: field.into(), defaults: defaults.clone() };
            let line = format!("{{\"{field}\": \"hello\"}}\n");
            let record = Reader::new(line.as_bytes(), "in.jsonl", reading).next().unwrap().unwrap().record.unwrap();
            assert_eq!((&*record.text, record.prompt.as_deref()), ("hello", Some("sort")));
            assert_eq!(record.labels.names(), ["a"]);
        }
    }

    #[test]
    fn numbers_of_python_that_json_does_not_know_are_named() {
        for (line, name) in [("{\"n\":NaN}", "NaN"), ("{\"n\":[1, -Infinity]}", "Infinity")] {
            let message = error(line);
            assert!(message.starts_with(&format!("not a JSON object: {name} is not a number in JSON")), "{message}");
        }
    }

    #[test]
    fn an_empty_object_takes_its_first_field() {
        assert_eq!(with("{ }\n", &new_field()), "{\"new\":[1] }\n");
    }

    #[test]
    fn a_field_that_is_there_is_replaced_where_it_stands() {
        assert_eq!(with(r#"{"new": {"x": 2}, "text": "a"}"#, &new_field()), "{\"new\": [1], \"text\": \"a\"}\n");
        assert_eq!(with(r#"{"\u006eew":0}"#, &new_field()), "{\"\\u006eew\":[1]}\n");
    }

    #[test]
    fn of_a_key_given_twice_the_last_one_counts() {
        assert_eq!(with(r#"{"new":1,"text":"a","new":2}"#, &new_field()), "{\"new\":1,\"text\":\"a\",\"new\":[1]}\n");
        assert_eq!(read(br#"{"text":"a","text":"b"}"#)[0].record.as_ref().unwrap().text, "b");
    }

    #[test]
    fn a_byte_order_mark_and_crlf_stay() {
        let line = "\u{feff}{\"text\":\"a\"}\r\n";
        assert!(read(line.as_bytes())[0].record.is_ok());
        assert_eq!(with(line, &new_field()), "\u{feff}{\"text\":\"a\",\"new\":[1]}\r\n");
    }

    #[test]
    fn a_blank_line_passes_and_a_last_line_without_end_gets_one() {
        let entries = read(b"\r\n{\"text\":\"a\"}");
        assert!(entries[0].raw.is_blank());
        let mut out = Vec::new();
        entries.iter().for_each(|entry| entry.raw.write_unchanged(&mut out));
        assert_eq!(out, b"\r\n{\"text\":\"a\"}\n");
    }

    #[test]
    fn a_line_of_nothing_but_a_byte_order_mark_is_blank() {
        for input in ["\u{feff}", "\u{feff}\n", "\u{feff} \r\n{}"] {
            assert!(read(input.as_bytes())[0].raw.is_blank(), "{input:?}");
        }
        // Inside an input it is a character.
        assert!(!read("{}\n\u{feff}\n".as_bytes())[1].raw.is_blank());
    }

    #[test]
    fn a_line_that_is_no_object_becomes_one() {
        assert_eq!(
            with("[1, \"x\"\n", &[("error", "\"e\"".into())]),
            "{\"input\":\"[1, \\\"x\\\"\",\"error\":\"e\"}\n"
        );
        let mut out = Vec::new();
        read(b"{\"text\":\"\xff\"}")[0].raw.write(&[], &[], &mut out);
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), json!({"input": "{\"text\":\"\u{fffd}\"}"}));
    }

    #[test]
    fn what_an_earlier_run_said_is_known_by_the_field_that_every_run_writes() {
        let written = |line: &str, fields: &[(&str, String)]| {
            let mut out = Vec::new();
            let stays = read(line.as_bytes())[0].raw.write(fields, &["new", "error"], &mut out);
            (String::from_utf8(out).unwrap(), stays)
        };
        let earlier = r#"{"text":"a","error":"e","new":[2]}"#;
        let expected = "{\"text\":\"a\",\"error\":null,\"new\":[1]}\n".to_owned();
        assert_eq!(written(earlier, &new_field()), (expected, None));
        let own = r#"{"text":"a","error":"e"}"#;
        let expected = "{\"text\":\"a\",\"error\":\"e\",\"new\":[1]}\n".to_owned();
        assert_eq!(written(own, &new_field()), (expected, Some("error")));
    }

    #[test]
    fn an_array_is_known_by_its_first_object_or_line_break() {
        for start in ["[{", "[ {\"text\"", "\u{feff}\r\n [\r\n", "[\n 1,", "[ \n\n {"] {
            assert!(begins_array(start.as_bytes()), "{start:?}");
        }
        for start in ["", "[", "[ ", "[ERROR] {\n", "[1, {}]\n", "{\"a\": [\n", "[]\n{}\n", "x\n[{"] {
            assert!(!begins_array(start.as_bytes()), "{start:?}");
        }
    }

    #[test]
    fn a_line_that_is_not_utf8_says_what_to_do() {
        let error = read(b"{\"text\":\"\xe9\"}\n")[0].record.as_ref().unwrap_err().to_string();
        assert_eq!(error, "invalid UTF-8 at byte 10: convert the file to UTF-8");
    }

    #[test]
    fn errors_name_the_field_and_what_was_found() {
        assert!(error("{").starts_with("not a JSON object: EOF"), "{}", error("{"));
        assert!(error("[]").starts_with("not a JSON object: invalid type: sequence"), "{}", error("[]"));
        let said = |names: &str| format!("no field \"text\" in the record ({names}): give --text-field NAME");
        assert_eq!(error("{}"), "no field \"text\": the record is empty");
        assert_eq!(error(&format!("{{\"{}\":1}}", "x".repeat(99))), said(&"x".repeat(40)[..]));
        assert_eq!(error(r#"{"review":"good","id":1}"#), said("review, id"));
        assert_eq!(error(r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1}"#), said("a, b, c, d, e, ..."));
        assert!(error(r#"{"text":null}"#).starts_with("field \"text\" is null: "));
        assert_eq!(error(r#"{"text": 5}"#), "field \"text\": invalid type: integer `5`, expected a string");
        assert!(error(r#"{"text":"\ud800"}"#).starts_with("field \"text\": "));
        assert!(error(r#"{"text":"a","labels":["x","x"]}"#).starts_with("field \"labels\": label \"x\""));
        assert!(error(r#"{"text":"a","examples":[{}]}"#).starts_with("field \"examples\": "));
    }

    #[test]
    fn half_of_a_character_is_named_with_its_place() {
        let said = |half, byte| format!("{half} at byte {byte} is half of a character: write both halves, or \\ufffd");
        for (text, half, byte) in [
            (r"a\ud83d b", r"\ud83d", 3),
            (r"\ude00", r"\ude00", 2),
            (r"\ud83d\ude00\\ud83d\ud83d\u0041", r"\ud83d", 21),
            (r"é\n\uD83D", r"\uD83D", 6),
        ] {
            assert_eq!(error(&format!("{{\"text\":\"{text}\"}}")), format!("field \"text\": {}", said(half, byte)));
        }
        let labels = error(r#"{"text":"a","labels":["\ud83d"]}"#);
        assert_eq!(labels, format!("field \"labels\": {}", said(r"\ud83d", 3)));
        let key = error(r#"{"text":"a","\ud83d":1}"#);
        assert!(key.starts_with(r"not a JSON object: half of a character (\ud800 to \udfff alone)"), "{key}");
        assert_eq!(read(br#"{"text":"\ud83d\ude00"}"#)[0].record.as_ref().unwrap().text, "\u{1f600}");
    }

    #[test]
    fn a_record_says_more_than_the_command() {
        let line = br#"{"text":"a","labels":{"x":["y"]},"prompt":"p","examples":[{"text":"e","labels":["y"]}]}"#;
        let entries = read(line);
        let record = entries[0].record.as_ref().unwrap();
        assert_eq!(record.labels.names(), ["x.y"]);
        assert_eq!(record.prompt.as_deref(), Some("p"));
        assert_eq!(record.examples.len(), 1);
        let entries = read(br#"{"text":"a","labels":null}"#);
        assert_eq!(entries[0].record.as_ref().unwrap().labels.names(), ["a", "b"]);
    }

    #[test]
    fn an_example_may_name_its_labels_in_two_ways() {
        let labels = |example: &str| {
            let line = format!(r#"{{"text":"a","examples":[{{"text":"e",{example}}}]}}"#);
            read(line.as_bytes())[0].record.as_ref().unwrap().examples[0].labels.clone()
        };
        assert_eq!(labels(r#""true_labels":["x"]"#), ["x"]);
        assert_eq!(labels(r#""labels":["x"],"true_labels":["y"]"#), ["x"]);
        assert_eq!(labels(r#""true_labels":["y"],"labels":["x"],"more":1.5"#), ["x"]);
        let neither = error(r#"{"text":"a","examples":[{"text":"e"}]}"#);
        assert!(neither.starts_with("field \"examples\": missing field `labels`"), "{neither}");
    }

    #[test]
    fn like_labels_are_shared() {
        let line = "{\"text\":\"a\",\"labels\":[\"x\"]}\n";
        let entries = read(line.repeat(2).as_bytes());
        let [first, second] = [0, 1].map(|index: usize| &entries[index].record.as_ref().unwrap().labels);
        assert!(Arc::ptr_eq(first, second));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_object_comes_back_with_the_field_set(
            fields in proptest::collection::vec((any::<String>(), value()), 0..5),
            pretty in any::<bool>(),
        ) {
            let mut object = Value::Object(fields.into_iter().collect());
            let line = if pretty { format!("{object:#}").replace('\n', " ") } else { object.to_string() };
            let out = with(&line, &new_field());
            object["new"] = json!([1]);
            prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), object);
        }

        #[test]
        fn no_input_panics_and_every_line_comes_back(input in proptest::collection::vec(any::<u8>(), 0..200)) {
            let entries = read(&input);
            let mut out = Vec::new();
            for entry in &entries {
                entry.raw.write_unchanged(&mut out);
                let mut set = Vec::new();
                entry.raw.write(&[("error", "1".into())], &[], &mut set);
                let text = String::from_utf8(set).unwrap();
                let object = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}'));
                prop_assert!(object.is_ok());
            }
            let mut expected = input.clone();
            if !expected.is_empty() && !expected.ends_with(b"\n") {
                expected.push(b'\n');
            }
            prop_assert_eq!(out, expected);
        }
    }
}
