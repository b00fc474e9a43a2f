//! CSV and TSV under a header.

use csv::StringRecord;
use serde_json::{Map, Value};

use super::json::{candidates_field, label_field};
use super::{Found, Layout, Own, Spot, Truth, Written, flaw, nothing_in_it};
use crate::error::{Error, Result};
use crate::records::csv::{Row, unquoted_row};
use crate::records::rows::Rows;
use crate::records::{LabelSet, Place};

/// Where the header is.
pub(super) const HEADER: Spot = Spot::Line(1);

/// The header of a table, and its rows with where they begin. A line of nothing is no record, in TSV either.
pub(super) fn rows(
    text: &str,
    delimiter: u8,
) -> Result<(StringRecord, impl Iterator<Item = Result<(Spot, StringRecord)>>)> {
    let rows = Rows::new(text.as_bytes(), delimiter, Place::START);
    let is_blank = move |row: &Row| delimiter == b'\t' && row.fields.len() == 1 && row.fields[0].is_empty();
    let rows = rows.filter(move |row| !row.as_ref().is_ok_and(is_blank));
    let mut rows = rows.map(move |row| cells(row.map_err(|error| Error::Record(error.to_string()))?, delimiter));
    let (_, header) = rows.next().unwrap_or_else(|| Err(nothing_in_it()))?;
    let width = header.len();
    let rows = rows.map(move |row| {
        let (spot, row) = row?;
        if row.len() == width { Ok((spot, row)) } else { Err(uneven(spot, row.len(), width, delimiter)) }
    });
    Ok((header, rows))
}

fn cells(row: Row, delimiter: u8) -> Result<(Spot, StringRecord)> {
    let spot = Spot::Line(row.begin.line as usize);
    if let Some(what) = row.quotes.flaw() {
        return Err(flaw(spot, None, what));
    }
    let cells = StringRecord::from_byte_record(row.fields).expect("cells of a text are texts: this is a bug");
    Ok((spot, unquoted_row(&cells, delimiter)))
}

fn uneven(spot: Spot, found: usize, expected: usize, delimiter: u8) -> Error {
    let guess = if delimiter == b'\t' { "are there tabs in a text?" } else { "is a quote missing?" };
    flaw(spot, None, &format!("{found} columns where the header has {expected}: {guess}"))
}

pub(super) fn read(text: &str, delimiter: u8, layout: &Layout) -> Result<Vec<Found>> {
    let (header, rows) = rows(text, delimiter)?;
    let rows: Vec<(Spot, StringRecord)> = rows.collect::<Result<_>>()?;
    let columns = Columns::find(&header, &rows, layout)?;
    rows.iter().map(|(spot, row)| columns.read(*spot, row, layout)).collect()
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
