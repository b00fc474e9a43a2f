//! CSV and TSV under a header.

use std::borrow::Borrow;

use csv::StringRecord;
use serde_json::{Map, Value};

use super::json::{candidates_field, label_field};
use super::{Found, Layout, Own, Spot, TRUE_LABELS, Truth, Written, flaw, nothing_in_it};
use crate::error::{Error, Result};
use crate::records::csv::{Row, remedy, unquoted_row};
use crate::records::rows::Rows;
use crate::records::{LabelSet, Place};

/// Where the header is.
pub(super) const HEADER: Spot = Spot::Line(1);

/// The header of a table, and its rows with where they begin. A line of nothing is no record, in TSV either. Where the
/// header is `known` already, a table that does not begin with one has rows alone, as the later shards of a run.
pub(super) fn rows(
    text: &str,
    delimiter: u8,
    known: Option<&StringRecord>,
    layout: &Layout,
) -> Result<(StringRecord, impl Iterator<Item = Result<(Spot, StringRecord)>>)> {
    let rows = Rows::new(text.as_bytes(), delimiter, Place::START);
    let is_blank = move |row: &Row| delimiter == b'\t' && row.fields.len() == 1 && row.fields[0].is_empty();
    let rows = rows.filter(move |row| !row.as_ref().is_ok_and(is_blank));
    let mut rows = rows.map(move |row| cells(row.map_err(|error| Error::Record(error.to_string()))?, delimiter));
    let is_header = |row: &StringRecord| position(row, &layout.text_field).is_some();
    let (header, first) = match (known, rows.next().transpose()?) {
        (None, None) => return Err(nothing_in_it()),
        (Some(known), first) if first.as_ref().is_none_or(|(_, row)| !is_header(row)) => (known.clone(), first),
        (_, first) => (first.map(|(_, header)| header).unwrap_or_default(), None),
    };
    let width = header.len();
    let rows = first.map(Ok).into_iter().chain(rows).map(move |row| {
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
    let (header, rows) = rows(text, delimiter, None, layout)?;
    // Before the rows: a header with another separator says what is wrong with their lengths.
    let text = text_column(&header, layout)?;
    check_written_back(&header, layout)?;
    let rows: Vec<(Spot, StringRecord)> = rows.collect::<Result<_>>()?;
    let columns = Columns::find(&header, text, &rows, layout)?;
    rows.iter().map(|(spot, row)| columns.read(*spot, row, layout)).collect()
}

/// Checks that a row can be written back with its true labels by name beside it.
fn check_written_back(header: &StringRecord, layout: &Layout) -> Result<()> {
    let is_there = position(header, TRUE_LABELS).is_some();
    match layout.label_field.as_ref().filter(|field| layout.whole && is_there && *field != TRUE_LABELS) {
        Some(field) => {
            let message = format!("--predictions writes the labels of {field:?} under this name: rename this column");
            Err(flaw(HEADER, Some(TRUE_LABELS), &message))
        }
        None => Ok(()),
    }
}

/// Where in a row things are.
struct Columns<'a> {
    header: &'a StringRecord,
    text: usize,
    truth: TruthColumns,
    candidates: Option<usize>,
}

impl<'a> Columns<'a> {
    fn find(header: &'a StringRecord, text: usize, rows: &[(Spot, StringRecord)], layout: &Layout) -> Result<Self> {
        let labels = layout.labels.as_ref().map(|labels| labels.names());
        let truth = TruthColumns::find(header, layout, labels, || {
            flags(header, rows.iter().map(|(spot, row)| Ok((*spot, row))), |column| column == text)
        })?;
        let candidates = candidates_column(header, layout).filter(|_| layout.labels.is_none());
        Ok(Self { header, text, truth, candidates })
    }

    fn read(&self, spot: Spot, row: &StringRecord, layout: &Layout) -> Result<Found> {
        let candidates = match (self.candidates, &self.truth) {
            (Some(column), _) => {
                let labels = LabelSet::flat(split(&row[column], &layout.list_separator));
                Some(labels.map_err(|error| flaw(spot, Some(&self.header[column]), &error.to_string())))
            }
            (None, TruthColumns::OneHot(columns)) if layout.labels.is_none() => {
                let labels = LabelSet::flat(columns.iter().map(|&column| self.header[column].to_owned()).collect());
                Some(labels.map_err(|error| flaw(HEADER, None, &error.to_string())))
            }
            _ => None,
        };
        let truth = Truth {
            field: self.truth.words(self.header),
            labels: self.truth.read(spot, row, self.header, layout)?,
            weights: Vec::new(),
            restate: true,
        };
        let source = layout.source(|| self.json(row));
        Ok(Found { spot, text: row[self.text].to_owned(), candidates, truth, own: Own::default(), source })
    }

    /// A row as a JSON object.
    fn json(&self, row: &StringRecord) -> String {
        let mut fields = Map::new();
        for (name, cell) in self.header.iter().zip(row) {
            // Of two columns of one name the first is the one that is read.
            fields.entry(name).or_insert_with(|| cell.into());
        }
        Value::Object(fields).to_string()
    }
}

fn position(header: &StringRecord, name: &str) -> Option<usize> {
    header.iter().position(|column| column == name)
}

fn absent(header: &StringRecord, name: &str, option: &str) -> Error {
    let there: Vec<&str> = header.iter().collect();
    let remedy = remedy(&there, |form| format!("end the name of the file in .{form}"));
    let remedy = remedy.unwrap_or_else(|| format!("name one with {option}"));
    flaw(HEADER, Some(name), &format!("no such column; there are {there:?}: {remedy}"))
}

/// The column with the text.
pub(super) fn text_column(header: &StringRecord, layout: &Layout) -> Result<usize> {
    let name = &layout.text_field;
    position(header, name).ok_or_else(|| absent(header, name, "--text-field"))
}

/// The column with the candidates of each row, if there is one.
pub(super) fn candidates_column(header: &StringRecord, layout: &Layout) -> Option<usize> {
    let is_there = |name: &str| position(header, name).is_some();
    candidates_field(&label_field(is_there, layout), is_there).and_then(|name| position(header, name))
}

/// Where the true labels are.
pub(super) enum TruthColumns {
    /// In one column, by name or number.
    Named(usize),
    /// A column for each label, of 0 and 1.
    OneHot(Vec<usize>),
}

impl TruthColumns {
    /// The column of that name; else those of the `labels`, which must all be there; where nobody knows the labels,
    /// what `flags` finds.
    pub(super) fn find(
        header: &StringRecord,
        layout: &Layout,
        labels: Option<&[String]>,
        flags: impl FnOnce() -> Result<Vec<usize>>,
    ) -> Result<Self> {
        let field = label_field(|name| position(header, name).is_some(), layout);
        if let Some(column) = position(header, &field) {
            return Ok(Self::Named(column));
        }
        if layout.label_field.is_some() {
            return Err(absent(header, &field, "--label-field"));
        }
        let columns = match labels {
            Some(labels) => columns_of(header, labels)?,
            None => flags()?,
        };
        if columns.is_empty() { Err(absent(header, "label", "--label-field")) } else { Ok(Self::OneHot(columns)) }
    }

    /// The true labels of a row.
    pub(super) fn read(
        &self,
        spot: Spot,
        row: &StringRecord,
        header: &StringRecord,
        layout: &Layout,
    ) -> Result<Vec<Written>> {
        let columns = match self {
            Self::Named(column) => {
                let labels = split(&row[*column], &layout.list_separator);
                return Ok(labels.into_iter().map(Written::name_or_number).collect());
            }
            Self::OneHot(columns) => columns,
        };
        let mut labels = Vec::new();
        for &column in columns {
            let unclear = || {
                let message = format!("{:?} is neither 0 nor 1, which say whether this label is true", &row[column]);
                flaw(spot, Some(&header[column]), &message)
            };
            if is_one(&row[column]).ok_or_else(unclear)? {
                labels.push(Written::name(header[column].to_owned()));
            }
        }
        Ok(labels)
    }

    /// What they are called for people.
    fn words(&self, header: &StringRecord) -> String {
        match self {
            Self::Named(column) => header[*column].to_owned(),
            Self::OneHot(columns) => format!("{} columns of 0 and 1", columns.len()),
        }
    }
}

/// The column of each label; none where not one has one.
fn columns_of(header: &StringRecord, labels: &[String]) -> Result<Vec<usize>> {
    let found: Vec<Option<usize>> = labels.iter().map(|label| position(header, label)).collect();
    if found.iter().all(Option::is_none) {
        return Ok(Vec::new());
    }
    let missing = "no such column: give every label one of 0 and 1, or name the one with the true labels with \
                   --label-field";
    let column = |(label, column): (&String, Option<usize>)| column.ok_or_else(|| flaw(HEADER, Some(label), missing));
    labels.iter().zip(found).map(column).collect()
}

/// What is in a column that may be of 0 and 1.
#[derive(Clone, Default)]
struct Cells {
    flags: usize,
    /// Whether there is another number: then it counts something.
    counts: bool,
    others: usize,
    first_other: Option<(Spot, String)>,
    first_empty: Option<Spot>,
}

impl Cells {
    fn add(&mut self, spot: Spot, cell: &str) {
        match is_one(cell) {
            Some(_) => self.flags += 1,
            None if cell.trim().is_empty() => self.first_empty = self.first_empty.or(Some(spot)),
            None if cell.trim().parse::<f64>().is_ok() => self.counts = true,
            None => {
                self.others += 1;
                self.first_other.get_or_insert_with(|| (spot, cell.to_owned()));
            }
        }
    }

    /// Whether they say of what a label is true: they are 0 or 1, but for few, which are mistakes.
    fn are_flags(&self) -> bool {
        let are_few = self.others == 1 || self.others * 10 <= self.flags;
        !self.counts && if self.others == 0 { self.flags > 0 } else { self.flags > 2 && are_few }
    }

    /// What is wrong with them, and where.
    fn flaw(&self) -> Option<(Spot, String)> {
        let remedy = "write one of them, or name the labels with --labels";
        let other = self.first_other.as_ref().map(|(spot, cell)| {
            (*spot, format!("{cell:?}, where nearly all cells of the column are 0 or 1: {remedy}"))
        });
        let empty = || {
            let message = format!("empty, where all other cells of the column are 0 or 1: {remedy}");
            self.first_empty.map(|spot| (spot, message))
        };
        other.or_else(empty)
    }
}

/// The columns, but for those that `is_other` knows, that hold 0 and 1, where at least two hold nothing else.
///
/// # Errors
/// Cells of such a column are empty or something else: whether its label is true of them is not known.
pub(super) fn flags<R: Borrow<StringRecord>>(
    header: &StringRecord,
    rows: impl Iterator<Item = Result<(Spot, R)>>,
    is_other: impl Fn(usize) -> bool,
) -> Result<Vec<usize>> {
    let mut columns = vec![Cells::default(); header.len()];
    for row in rows {
        let (spot, row) = row?;
        columns.iter_mut().zip(row.borrow()).for_each(|(cells, cell)| cells.add(spot, cell));
    }
    let are_flags = |column: &usize| !is_other(*column) && columns[*column].are_flags();
    let found: Vec<usize> = (0..header.len()).filter(are_flags).collect();
    if found.iter().filter(|&&column| columns[column].others == 0).count() < 2 {
        return Ok(Vec::new());
    }
    let unclear = found.iter().find_map(|&column| Some((column, columns[column].flaw()?)));
    unclear.map_or(Ok(found), |(column, (spot, message))| Err(flaw(spot, Some(&header[column]), &message)))
}

fn is_one(cell: &str) -> Option<bool> {
    match cell.trim() {
        "1" | "1.0" | "true" | "True" | "TRUE" => Some(true),
        "0" | "0.0" | "false" | "False" | "FALSE" => Some(false),
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
