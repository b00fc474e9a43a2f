//! How records of each form are written back.

use std::io::BufRead;

use anyhow::Context;

use super::options::{Args, OnError};
use crate::cli::args::ShapeArgs;
use crate::cli::cells::{check_labels, check_lists, csv_columns, csv_values};
use crate::cli::format::Format;
use crate::error::Result;
use crate::records::csv::{self, Columns, Row};
use crate::records::jsonl::{Line, json_string};
use crate::records::names::{ERROR, PREDICTED_LABELS, PREDICTED_SCORES, SCORE, TRUNCATED};
#[cfg(feature = "parquet")]
use crate::records::parquet::{self, RowGroups};
use crate::records::{LabelSet, Raw};
use crate::runner::Classified;
#[cfg(feature = "parquet")]
use crate::scores;
use crate::scores::Decision;

/// How records of one form are written back.
pub(super) trait Form {
    type Raw: Raw;

    /// What stands before the first record.
    fn header(&mut self, _out: &mut Vec<u8>) {}
    /// A record with what was found.
    fn good(&mut self, raw: &Self::Raw, found: &Classified, out: &mut Vec<u8>);
    /// A record with what is wrong with it.
    fn bad(&mut self, raw: &Self::Raw, message: &str, out: &mut Vec<u8>);
    /// What else the input may be, behind what is wrong with a record.
    fn hint(&self, _raw: &Self::Raw) -> &'static str {
        ""
    }
    /// Whether it is no record, but goes through as it is.
    fn is_blank(&self, _raw: &Self::Raw) -> bool {
        false
    }
    /// What is to be told of the record that was written last.
    fn remark(&mut self) -> Option<String> {
        None
    }
    /// What is no record, as it is.
    fn blank(&mut self, _raw: &Self::Raw, _out: &mut Vec<u8>) {}
    /// What is written behind a record because it is the last one of those that are written together.
    fn completed(&mut self, _raw: &Self::Raw) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
    /// How many records wait for others that they are written with.
    fn held(&self) -> usize {
        0
    }
    /// What stands behind the last record.
    fn footer(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
    /// Goes on in a file of `size` bytes, whose footer this would have been.
    fn go_on(&mut self, _footer: &[u8], _size: u64) -> Result<()> {
        Ok(())
    }
}

/// JSONL: fields set in the line.
pub(super) struct Jsonl {
    output_field: String,
    decision: Decision,
    shape: ShapeArgs,
    /// Whether records have kept fields of their own that are called as an earlier run calls its own: it is told once.
    have_own: bool,
    remark: Option<String>,
}

impl Jsonl {
    pub(super) fn new(args: &Args, decision: Decision) -> Self {
        Self { output_field: args.output_field.clone(), decision, shape: args.shape, have_own: false, remark: None }
    }

    /// Remembers that a record kept this field, if it is the first that did.
    fn kept(&mut self, field: Option<String>) {
        if let Some(field) = field.filter(|_| !self.have_own) {
            self.have_own = true;
            self.remark = Some(format!(
                "a field {field:?} of the record's own stays as it is: if an earlier run left it there, remove it \
                 first, as `jq -c 'del(.{field})'` does"
            ));
        }
    }
}

impl Form for Jsonl {
    type Raw = Line;

    fn good(&mut self, raw: &Line, found: &Classified, out: &mut Vec<u8>) {
        let mut fields = vec![(self.output_field.as_str(), self.shape.json(&self.decision, found))];
        fields.extend(found.truncated.then(|| (TRUNCATED, "true".into())));
        let kept = raw.write(&fields, &[&self.output_field, ERROR, TRUNCATED], out).map(str::to_owned);
        self.kept(kept);
    }

    fn bad(&mut self, raw: &Line, message: &str, out: &mut Vec<u8>) {
        let error = (ERROR, json_string(message));
        let kept = raw.write(&[error], &[&self.output_field, TRUNCATED], out).map(str::to_owned);
        self.kept(kept);
    }

    fn remark(&mut self) -> Option<String> {
        self.remark.take()
    }

    /// A line that is no object may be a bad record among good ones, but hardly the first.
    fn hint(&self, raw: &Line) -> &'static str {
        match raw.begin().line == 1 && !raw.begins_object() {
            true => "; CSV needs --input-format csv, lines of text `gliclass classify`",
            false => "",
        }
    }

    fn is_blank(&self, raw: &Line) -> bool {
        raw.is_blank()
    }

    fn blank(&mut self, raw: &Line, out: &mut Vec<u8>) {
        raw.write_unchanged(out);
    }
}

/// CSV and TSV: columns behind the row's own.
pub(super) struct Csv {
    columns: Columns,
    decision: Decision,
    list_separator: String,
    /// How many columns hold predictions; one more may hold the error.
    predicted: usize,
    has_errors: bool,
    /// Whether the input has a column `error` that no run of this program wrote.
    has_own_error: bool,
}

impl Csv {
    pub(super) fn new<B: BufRead>(
        args: &Args,
        decision: Decision,
        labels: &LabelSet,
        source: &csv::Reader<B>,
    ) -> anyhow::Result<Self> {
        let is_tsv = args.format() == Format::Tsv;
        check_labels(labels, is_tsv)?;
        check_lists(labels, &decision, &args.list_separator, is_tsv)
            .context("give another --list-separator, or JSONL")?;
        let mut added = csv_columns(labels, &decision);
        let predicted = added.len();
        let has_error = source.names().any(|name| name == ERROR);
        let is_earlier_output = source.names().any(|name| is_prediction(&name));
        let mut stale = source.names().filter(|name| is_prediction(name) && added.iter().all(|new| new != name));
        if let Some(column) = stale.next() {
            let more = match stale.count() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            args.model.base.say(&format!(
                "warning: columns named like predictions stay beside the new ones ({column:?}{more}): leave them out \
                 before `gliclass eval` reads the output"
            ));
        }
        // What an earlier run said of a record does not outlive what it said of its labels.
        let has_errors = args.on_error == OnError::Keep || has_error && is_earlier_output;
        if has_errors {
            added.push(ERROR.into());
        }
        args.check_text_field(&added)?;
        let columns = Columns::new(source.header(), &added, source.dialect());
        let list_separator = args.list_separator.clone();
        let has_own_error = has_error && !is_earlier_output;
        Ok(Self { columns, decision, list_separator, predicted, has_errors, has_own_error })
    }

    fn write(&self, row: &Row, mut values: Vec<String>, error: &str, out: &mut Vec<u8>) {
        values.resize(self.predicted, String::new());
        if self.has_errors && !(error.is_empty() && self.has_own_error) {
            values.push(error.to_owned());
        }
        self.columns.write(row, &values, out);
    }
}

/// Whether a column is one of those that hold predictions.
fn is_prediction(column: &str) -> bool {
    [PREDICTED_LABELS, PREDICTED_SCORES].contains(&column) || column.starts_with(SCORE)
}

impl Form for Csv {
    type Raw = Row;

    fn header(&mut self, out: &mut Vec<u8>) {
        self.columns.write_header(out);
    }

    fn good(&mut self, raw: &Row, found: &Classified, out: &mut Vec<u8>) {
        self.write(raw, csv_values(found, &self.decision, &self.list_separator), "", out);
    }

    fn bad(&mut self, raw: &Row, message: &str, out: &mut Vec<u8>) {
        self.write(raw, Vec::new(), message, out);
    }

    fn is_blank(&self, raw: &Row) -> bool {
        self.columns.is_blank(raw)
    }

    fn blank(&mut self, _raw: &Row, out: &mut Vec<u8>) {
        self.columns.write_blank(out);
    }
}

/// Parquet: columns behind the row's own, written when a row group is complete.
#[cfg(feature = "parquet")]
pub(super) struct Parquet {
    groups: RowGroups,
    decision: Decision,
}

#[cfg(feature = "parquet")]
impl Parquet {
    pub(super) fn new(args: &Args, decision: Decision, source: &parquet::Reader) -> anyhow::Result<Self> {
        let groups = RowGroups::new(source, args.on_error == OnError::Keep)?;
        args.check_text_field(&groups.added())?;
        Ok(Self { groups, decision })
    }
}

#[cfg(feature = "parquet")]
impl Form for Parquet {
    type Raw = parquet::Row;

    fn header(&mut self, out: &mut Vec<u8>) {
        self.groups.begin(out);
    }

    fn good(&mut self, _raw: &parquet::Row, found: &Classified, _out: &mut Vec<u8>) {
        let predictions = scores::decide(&found.logits, &found.labels, &self.decision);
        let pairs: Vec<_> = predictions.iter().map(|one| (one.name(&found.labels), one.score)).collect();
        self.groups.push(Ok(&pairs));
    }

    fn bad(&mut self, _raw: &parquet::Row, message: &str, _out: &mut Vec<u8>) {
        self.groups.push(Err(message));
    }

    fn completed(&mut self, raw: &parquet::Row) -> Result<Vec<u8>> {
        raw.ends().map_or(Ok(Vec::new()), |group| self.groups.complete(group))
    }

    fn held(&self) -> usize {
        self.groups.held()
    }

    fn footer(&self) -> Result<Vec<u8>> {
        self.groups.footer()
    }

    fn go_on(&mut self, footer: &[u8], size: u64) -> Result<()> {
        self.groups.go_on(footer, size)
    }
}
