//! CSV and TSV under a header.

use csv::{Position, ReaderBuilder, StringRecord};

use super::{CANDIDATES_FIELD, Found, LABEL_FIELDS, Layout, Lines, Truth, flaw, line_at};
use crate::error::{Error, Result};
use crate::records::LabelSet;

pub(super) fn read(text: &str, delimiter: u8, layout: &Layout) -> Result<Vec<Found>> {
    let unreadable = |error| unreadable(text, &error);
    let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let columns = Columns::find(reader.headers().map_err(unreadable)?, layout)?;
    let mut lines = Lines::new(text);
    reader
        .records()
        .map(|row| {
            let row = row.map_err(unreadable)?;
            columns.read(lines.at(start(text, row.position())), &row, layout)
        })
        .collect()
}

/// The byte where a row begins. The csv crate stops between the two bytes of a CRLF, and counts the
/// lines to there; blank lines before a row are none of it either.
fn start(text: &str, position: Option<&Position>) -> usize {
    let reached = position.map_or(0, |position| position.byte() as usize);
    let breaks = text.as_bytes()[reached..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    reached + breaks.count()
}

/// Where in a row things are.
struct Columns {
    text: usize,
    truth: usize,
    truth_name: String,
    candidates: Option<usize>,
}

impl Columns {
    fn find(header: &StringRecord, layout: &Layout) -> Result<Self> {
        let position = |name: &str| header.iter().position(|column| column == name);
        let absent = |name: &str, option: &str| {
            let there: Vec<&str> = header.iter().collect();
            let message = format!("no such column; there are {there:?}: name one with {option}");
            flaw(1, Some(name), &message)
        };
        let usual = || LABEL_FIELDS.into_iter().find(|name| position(name).is_some()).unwrap_or("label");
        let truth_name = layout.label_field.clone().unwrap_or_else(|| usual().to_owned());
        Ok(Self {
            text: position(&layout.text_field).ok_or_else(|| absent(&layout.text_field, "--text-field"))?,
            truth: position(&truth_name).ok_or_else(|| absent(&truth_name, "--label-field"))?,
            truth_name,
            candidates: position(CANDIDATES_FIELD).filter(|_| layout.labels.is_none()),
        })
    }

    fn read(&self, line: usize, row: &StringRecord, layout: &Layout) -> Result<Found> {
        let labels = split(&row[self.truth], &layout.list_separator);
        let candidates = self
            .candidates
            .map(|column| LabelSet::flat(split(&row[column], &layout.list_separator)))
            .transpose()
            .map_err(|error| flaw(line, Some(CANDIDATES_FIELD), &error.to_string()))?;
        let truth = Truth { field: self.truth_name.clone(), labels };
        Ok(Found { line, text: row[self.text].to_owned(), candidates, truth })
    }
}

/// The labels of a cell; an empty cell has none.
fn split(cell: &str, separator: &str) -> Vec<String> {
    if cell.is_empty() {
        return Vec::new();
    }
    if separator.is_empty() {
        return vec![cell.to_owned()];
    }
    cell.split(separator).map(str::to_owned).collect()
}

fn unreadable(text: &str, error: &csv::Error) -> Error {
    let line = line_at(text.as_bytes(), start(text, error.position()));
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            flaw(line, None, &format!("{len} columns where the header has {expected_len}: is a quote missing?"))
        }
        _ => flaw(line, None, &error.to_string()),
    }
}
