//! CSV and TSV under a header.

use csv::{Position, StringRecord};
use serde_json::{Map, Value};

use super::json::{candidates_field, label_field};
use super::{Found, Layout, Lines, Own, Spot, Truth, Written, flaw, line_at, nothing_in_it};
use crate::error::{Error, Result};
use crate::records::LabelSet;
use crate::records::csv as tables;

/// Where the header is.
pub(super) const HEADER: Spot = Spot::Line(1);

/// The header of a table, and its rows with where they begin.
pub(super) fn rows(
    text: &str,
    delimiter: u8,
) -> Result<(StringRecord, impl Iterator<Item = Result<(Spot, StringRecord)>>)> {
    if text.trim().is_empty() {
        return Err(nothing_in_it());
    }
    let unreadable = move |error| unreadable(text, delimiter, &error);
    let mut reader = tables::rows(delimiter).from_reader(text.as_bytes());
    let header = tables::unquoted_row(reader.headers().map_err(unreadable)?, delimiter);
    let mut lines = Lines::new(text);
    let rows = reader.into_records().map(move |row| {
        let row = row.map_err(unreadable)?;
        let spot = Spot::Line(lines.at(start(text, row.position())));
        Ok((spot, tables::unquoted_row(&row, delimiter)))
    });
    Ok((header, rows))
}

pub(super) fn read(text: &str, delimiter: u8, layout: &Layout) -> Result<Vec<Found>> {
    let (header, rows) = rows(text, delimiter)?;
    let rows: Vec<(Spot, StringRecord)> = rows.collect::<Result<_>>()?;
    if let Some((spot, _)) = rows.last().filter(|(_, row)| is_swallowed(text, row)) {
        return Err(flaw(*spot, None, "a quote is opened in this row and never closed"));
    }
    let columns = Columns::find(&header, &rows, layout)?;
    rows.iter().map(|(spot, row)| columns.read(*spot, row, layout)).collect()
}

/// The byte where a row begins. The csv crate stops between the two bytes of a CRLF, and counts the
/// lines to there; blank lines before a row are none of it either.
fn start(text: &str, position: Option<&Position>) -> usize {
    let reached = position.map_or(0, |position| position.byte() as usize);
    let breaks = text.as_bytes()[reached..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    reached + breaks.count()
}

/// Whether the last row of `text` is one only because a quote was never closed: its last cell has lines, and no
/// quote behind them.
fn is_swallowed(text: &str, row: &StringRecord) -> bool {
    let text = text.trim_end_matches(['\r', '\n']);
    !text.ends_with('"') && row.iter().next_back().is_some_and(|cell| cell.contains('\n'))
}

/// Where in a row things are.
struct Columns {
    header: Vec<String>,
    text: usize,
    truth: TruthColumns,
    candidates: Option<usize>,
}

/// Where the true labels are.
enum TruthColumns {
    /// In one column, by name or number.
    Named(usize),
    /// A column for each label, of 0 and 1.
    OneHot(Vec<usize>),
}

impl Columns {
    fn find(header: &StringRecord, rows: &[(Spot, StringRecord)], layout: &Layout) -> Result<Self> {
        let position = |name: &str| header.iter().position(|column| column == name);
        let absent = |name: &str, option: &str| {
            let there: Vec<&str> = header.iter().collect();
            let message = format!("no such column; there are {there:?}: name one with {option}");
            flaw(HEADER, Some(name), &message)
        };
        let text = position(&layout.text_field).ok_or_else(|| absent(&layout.text_field, "--text-field"))?;
        let field = label_field(|name| position(name).is_some(), layout);
        let truth = match position(&field) {
            Some(column) => TruthColumns::Named(column),
            None if layout.label_field.is_some() => return Err(absent(&field, "--label-field")),
            None => one_hot(header, rows, text, layout).ok_or_else(|| absent("label", "--label-field"))?,
        };
        let candidates = candidates_field(&field, |name| position(name).is_some());
        Ok(Self {
            header: header.iter().map(str::to_owned).collect(),
            text,
            truth,
            candidates: candidates.and_then(position).filter(|_| layout.labels.is_none()),
        })
    }

    fn read(&self, spot: Spot, row: &StringRecord, layout: &Layout) -> Result<Found> {
        let (field, labels) = match &self.truth {
            TruthColumns::Named(column) => {
                let labels = split(&row[*column], &layout.list_separator).into_iter().map(Written::name_or_number);
                (self.header[*column].clone(), labels.collect())
            }
            TruthColumns::OneHot(columns) => {
                let holds = columns.iter().filter(|&&column| is_one(&row[column]) == Some(true));
                (
                    format!("{} columns of 0 and 1", columns.len()),
                    holds.map(|&c| Written::name(self.header[c].clone())).collect(),
                )
            }
        };
        let own = |&column: &usize| LabelSet::flat(split(&row[column], &layout.list_separator));
        let candidates = match (&self.candidates, &self.truth) {
            (Some(column), _) => {
                Some(own(column).map_err(|error| flaw(spot, Some(&self.header[*column]), &error.to_string())))
            }
            (None, TruthColumns::OneHot(columns)) if layout.labels.is_none() => {
                let labels = LabelSet::flat(columns.iter().map(|&column| self.header[column].clone()).collect());
                Some(labels.map_err(|error| flaw(HEADER, None, &error.to_string())))
            }
            _ => None,
        };
        let fields: Map<String, Value> =
            self.header.iter().cloned().zip(row.iter().map(|cell| Value::from(cell.to_owned()))).collect();
        let truth = Truth { field, labels, weights: Vec::new(), restate: true };
        let source = Value::Object(fields).to_string();
        Ok(Found { spot, text: row[self.text].to_owned(), candidates, truth, own: Own::default(), source })
    }
}

/// The columns that are labels: those of --labels, else all beside the text that hold nothing but 0 and 1,
/// where there are at least two.
fn one_hot(header: &StringRecord, rows: &[(Spot, StringRecord)], text: usize, layout: &Layout) -> Option<TruthColumns> {
    let is_flag = |column: &usize| rows.iter().all(|(_, row)| is_one(&row[*column]).is_some());
    let is_wanted = |column: &usize| match &layout.labels {
        Some(labels) => labels.place_of(&header[*column]).is_some(),
        None => *column != text,
    };
    let columns: Vec<usize> = (0..header.len()).filter(is_wanted).filter(is_flag).collect();
    (columns.len() > 1 && !rows.is_empty()).then_some(TruthColumns::OneHot(columns))
}

fn is_one(cell: &str) -> Option<bool> {
    match cell.trim() {
        "1" | "1.0" | "true" | "True" => Some(true),
        "0" | "0.0" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// The labels of a cell, without blanks around them; an empty cell has none.
pub(super) fn split(cell: &str, separator: &str) -> Vec<String> {
    if cell.trim().is_empty() {
        return Vec::new();
    }
    if separator.is_empty() {
        return vec![cell.trim().to_owned()];
    }
    cell.split(separator).map(|label| label.trim().to_owned()).collect()
}

fn unreadable(text: &str, delimiter: u8, error: &csv::Error) -> Error {
    let spot = Spot::Line(line_at(text.as_bytes(), start(text, error.position())));
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let guess = if delimiter == b'\t' { "are there tabs in a text?" } else { "is a quote missing?" };
            flaw(spot, None, &format!("{len} columns where the header has {expected_len}: {guess}"))
        }
        _ => flaw(spot, None, &error.to_string()),
    }
}
