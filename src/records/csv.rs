//! CSV and TSV: the columns come out as they went in, with the predictions' columns set behind them.
//!
//! CSV has quotes, inside which there are commas and line ends. In TSV a line is a row and a tab ends a cell, whatever
//! quotes there are: a text that begins with one would else take the rows behind it. Where quotes stand around the whole
//! of a cell, as pandas and spreadsheets write them, they are no part of what it holds.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, StringRecord};

use super::input::Stream;
use super::rows::{Quotes, Rows};
use super::unicode::{BYTE_ORDER_MARK, not_utf8};
use super::{Defaults, Entry, Place, Record, Source};
use crate::error::{Error, Result};

pub use super::rows::Row;

/// How the columns are told apart and the rows end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Between the columns.
    pub delimiter: u8,
    /// Whether rows end in CR LF.
    pub crlf: bool,
    /// Whether a byte order mark stands before the header.
    pub marked: bool,
}

const TAB: u8 = b'\t';

impl Dialect {
    fn line_end(self) -> &'static [u8] {
        if self.crlf { b"\r\n" } else { b"\n" }
    }

    /// A value as a cell holds it. TSV knows no line end and no tab in a cell: there they are blanks.
    pub fn cell(self, value: &str) -> Cow<'_, str> {
        if self.delimiter != TAB {
            return value.into();
        }
        let line = match value.contains(NOT_IN_TSV) {
            true => Cow::Owned(value.replace(NOT_IN_TSV, " ")),
            false => Cow::Borrowed(value),
        };
        // What looks quoted would be read without its quotes.
        if unquoted(&line, TAB) == line { line } else { Cow::Owned(format!("\"{}\"", line.replace('"', "\"\""))) }
    }
}

/// What no cell of TSV can hold.
pub const NOT_IN_TSV: [char; 3] = ['\t', '\n', '\r'];

/// What a row holds.
pub fn unquoted_row(row: &StringRecord, delimiter: u8) -> StringRecord {
    row.iter().map(|cell| unquoted(cell, delimiter)).collect()
}

/// What a cell holds: of TSV, without quotes around it, inside which quotes are written twice.
fn unquoted(cell: &str, delimiter: u8) -> Cow<'_, str> {
    let inside = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inside.filter(|inside| delimiter == TAB && !inside.replace("\"\"", "").contains('"')) {
        Some(inside) => Cow::Owned(inside.replace("\"\"", "\"")),
        None => Cow::Borrowed(cell),
    }
}

/// What a column is called.
fn name_of(column: &[u8], delimiter: u8) -> Cow<'_, str> {
    match String::from_utf8_lossy(column) {
        Cow::Borrowed(cell) => unquoted(cell, delimiter),
        Cow::Owned(cell) => Cow::Owned(unquoted(&cell, delimiter).into_owned()),
    }
}

/// Reads records from CSV or TSV with a header.
pub struct Reader<B> {
    rows: Rows<B>,
    name: PathBuf,
    header: ByteRecord,
    dialect: Dialect,
    text_column: usize,
    defaults: Defaults,
}

/// What to do where a column is not in a header because that was read with another separator or line end than it was
/// written with, or is none: a column with a line end or a lone one with a separator in it is several. How the form is
/// given, `csv`, `tsv` or `jsonl`, `give_form` says.
pub(super) fn remedy<T: AsRef<str>>(columns: &[T], give_form: impl Fn(&str) -> String) -> Option<String> {
    let is_of_lines = |column: &T| column.as_ref().contains('\r') && !column.as_ref().contains('\n');
    if columns.iter().any(is_of_lines) {
        return Some("end its lines in LF, as `tr '\\r' '\\n'` does".into());
    }
    match columns {
        [first, ..] if begins_object(first.as_ref()) => Some(give_form("jsonl")),
        // So spreadsheets are told the separator.
        [first, ..] if first.as_ref().starts_with("sep=") => Some("remove the first line, which is no header".into()),
        [lone] if lone.as_ref().contains('\t') => Some(give_form("tsv")),
        [lone] if lone.as_ref().contains(',') => Some(give_form("csv")),
        [lone] if lone.as_ref().contains(';') => Some("separate its columns by commas, not by semicolons".into()),
        _ => None,
    }
}

/// Whether a line begins as a JSON object with fields does.
fn begins_object(line: &str) -> bool {
    line.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('"'))
}

impl<B: BufRead> Reader<B> {
    /// A reader of `input`, which is called `name` in messages; reads the header.
    ///
    /// # Errors
    /// There is no header, or no column `text_field` in it.
    pub fn new(
        mut input: B,
        name: impl Into<PathBuf>,
        delimiter: u8,
        text_field: &str,
        defaults: Defaults,
    ) -> Result<Self> {
        let name = name.into();
        let start = input.fill_buf().map_err(|error| Error::io(&name, error))?;
        let marked = start.starts_with(BYTE_ORDER_MARK);
        let mark = if marked { BYTE_ORDER_MARK.len() } else { 0 };
        input.consume(mark);
        let mut rows = Rows::new(input, delimiter, Place { byte: mark as u64, ..Place::START });
        let (mut header, mut crlf) = (ByteRecord::new(), false);
        if let Some(row) = next_row(&mut rows, &name)? {
            crlf = rows.ended_in_crlf(&row).map_err(|error| Error::io(&name, error))?;
            header = row.fields;
        }
        if header.iter().all(<[u8]>::is_empty) {
            return Err(Error::Usage(format!("{}: no header: name the columns in the first line", name.display())));
        }
        let text_column =
            header.iter().position(|column| name_of(column, delimiter) == text_field).ok_or_else(|| {
                let columns: Vec<_> = header.iter().map(String::from_utf8_lossy).collect();
                let remedy = remedy(&columns, |form| format!("give --input-format {form}"));
                let remedy = remedy.unwrap_or_else(|| "give --text-field".into());
                let (name, columns) = (name.display(), columns.join(", "));
                Error::Usage(format!("{name}: no column {text_field:?} in the header ({columns}): {remedy}"))
            })?;
        Ok(Self { rows, name, header, dialect: Dialect { delimiter, crlf, marked }, text_column, defaults })
    }

    /// The cells of the header.
    pub fn header(&self) -> &ByteRecord {
        &self.header
    }

    /// The names of the columns.
    pub fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.header.iter().map(|column| name_of(column, self.dialect.delimiter))
    }

    /// How the input is written, to write the output likewise.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn row(&mut self) -> Result<Option<Row>> {
        next_row(&mut self.rows, &self.name)
    }

    fn record(&self, Row { fields, quotes, .. }: &Row) -> Result<Record> {
        if let Some(flaw) = quotes.flaw() {
            return Err(Error::Record(flaw.into()));
        }
        if fields.len() != self.header.len() {
            let (found, expected) = (fields.len(), self.header.len());
            return Err(Error::Record(format!("{found} columns where the header has {expected}")));
        }
        let text = std::str::from_utf8(&fields[self.text_column]).map_err(|error| {
            let column = name_of(&self.header[self.text_column], self.dialect.delimiter);
            Error::Record(format!("column {column:?}: {}", not_utf8(error)))
        })?;
        self.defaults.record(unquoted(text, self.dialect.delimiter).into_owned())
    }
}

/// Reads a row of the file `name`. One that is open takes all the rest of it: with that the input ends.
fn next_row<B: BufRead>(rows: &mut Rows<B>, name: &Path) -> Result<Option<Row>> {
    let row = rows.read().map_err(|error| Error::io(format!("{}:{}", name.display(), rows.place().line), error))?;
    if let Some(Row { begin, quotes: quotes @ Quotes::Open, .. }) = &row
        && let Some(flaw) = quotes.flaw()
    {
        return Err(Error::Usage(format!("{}:{}: {flaw}", name.display(), begin.line)));
    }
    Ok(row)
}

impl<B: BufRead> Iterator for Reader<B> {
    type Item = Result<Entry<Row>>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.row().transpose()?;
        Some(row.map(|raw| Entry { bytes: raw.fields.as_slice().len(), record: self.record(&raw), raw }))
    }
}

impl Source for Reader<Stream> {
    type Raw = Row;

    fn name(&self) -> &Path {
        &self.name
    }

    fn pass_over(&mut self) -> Result<Option<Row>> {
        self.row()
    }

    fn is_at_end(&mut self) -> Result<bool> {
        self.rows.is_at_end().map_err(|error| Error::io(&self.name, error))
    }

    fn is_seekable(&self) -> bool {
        self.rows.input().is_seekable()
    }

    fn seek(&mut self, place: Place) -> Result<()> {
        self.rows.seek(place).map_err(|error| Error::io(&self.name, error))
    }

    /// Reads from the start: a line end may lie inside quotes.
    fn seek_record(&mut self, byte: u64) -> Result<()> {
        // Where nothing is to be passed over, no row is waited for.
        while self.rows.place().byte < byte {
            let begin = self.rows.begin().map_err(|error| Error::io(&self.name, error))?;
            if begin.byte >= byte || self.row()?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// Writes rows with columns of their own set behind those they came with.
///
/// A column that is there already is overwritten where it stands.
#[derive(Debug)]
pub struct Columns {
    dialect: Dialect,
    header: ByteRecord,
    /// How many of the columns the input has.
    width: usize,
    /// For each new column, its place in the row.
    places: Vec<usize>,
}

impl Columns {
    /// Rows of `header`'s columns with those called `added` behind them.
    pub fn new(header: &ByteRecord, added: &[String], dialect: Dialect) -> Self {
        let mut known = HashMap::with_capacity(header.len() + added.len());
        for (place, column) in header.iter().enumerate() {
            known.entry(name_of(column, dialect.delimiter)).or_insert(place);
        }
        let mut all = header.clone();
        let mut places = Vec::with_capacity(added.len());
        for name in added {
            let place = *known.entry(Cow::Borrowed(name)).or_insert(all.len());
            if place == all.len() {
                all.push_field(dialect.cell(name).as_bytes());
            }
            places.push(place);
        }
        Self { dialect, header: all, width: header.len(), places }
    }

    /// Appends the header to `out`.
    pub fn write_header(&self, out: &mut Vec<u8>) {
        if self.dialect.marked {
            out.extend_from_slice(BYTE_ORDER_MARK);
        }
        write_row(&self.header, self.dialect, out);
    }

    /// Whether a row is a blank line of TSV, which is no row where there are several columns.
    pub fn is_blank(&self, row: &Row) -> bool {
        let is_empty = row.fields.len() == 1 && row.fields[0].is_empty();
        is_empty && self.dialect.delimiter == TAB && self.width > 1
    }

    /// Appends a blank line to `out`.
    pub fn write_blank(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.dialect.line_end());
    }

    /// Appends a row to `out`, with one value for each new column, in their order; where there are fewer values, the
    /// columns without one keep what they have.
    ///
    /// A row that is too short is filled up; what a row has too much stands at its end.
    pub fn write(&self, row: &Row, values: &[String], out: &mut Vec<u8>) {
        let values: Vec<Cow<'_, str>> = values.iter().map(|value| self.dialect.cell(value)).collect();
        let mut fields: Vec<Cell<&[u8]>> = row.fields.iter().map(Cell::Plain).collect();
        for &place in &row.empty_texts {
            fields[place] = Cell::EmptyText;
        }
        let surplus = fields.split_off(fields.len().min(self.width));
        fields.resize(self.header.len(), Cell::Plain(b""));
        for (&place, value) in self.places.iter().zip(&values) {
            fields[place] = Cell::Plain(value.as_bytes());
        }
        fields.extend(surplus);
        write_cells(fields, self.dialect, out);
    }
}

/// A cell as it is written.
#[derive(Clone, Copy)]
enum Cell<T> {
    /// Quoted where it must be.
    Plain(T),
    /// Nothing, between quotes.
    EmptyText,
}

/// Appends one row to `out`, quoted where it must be; of TSV cells, as they are.
pub fn write_row<T: AsRef<[u8]>>(fields: impl IntoIterator<Item = T>, dialect: Dialect, out: &mut Vec<u8>) {
    write_cells(fields.into_iter().map(Cell::Plain), dialect, out);
}

fn write_cells<T: AsRef<[u8]>>(cells: impl IntoIterator<Item = Cell<T>>, dialect: Dialect, out: &mut Vec<u8>) {
    let begin = out.len();
    for (place, cell) in cells.into_iter().enumerate() {
        if place > 0 {
            out.push(dialect.delimiter);
        }
        match cell {
            Cell::Plain(cell) => write_cell(cell.as_ref(), dialect.delimiter, out),
            Cell::EmptyText => out.extend_from_slice(EMPTY_TEXT),
        }
    }
    // A blank line would be no row.
    if out.len() == begin {
        out.extend_from_slice(EMPTY_TEXT);
    }
    out.extend_from_slice(dialect.line_end());
}

const EMPTY_TEXT: &[u8] = b"\"\"";

fn write_cell(cell: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let must_be_quoted = |&byte: &u8| matches!(byte, b'"' | b'\n' | b'\r') || byte == delimiter;
    if delimiter == TAB || !cell.iter().any(must_be_quoted) {
        return out.extend_from_slice(cell);
    }
    out.push(b'"');
    for part in cell.split_inclusive(|&byte| byte == b'"') {
        out.extend_from_slice(part);
        if part.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::records::LabelSet;

    fn reader(input: &[u8]) -> Result<Reader<&[u8]>> {
        let labels = Some(Arc::new(LabelSet::flat(vec!["a".into()]).unwrap()));
        Reader::new(input, "in.csv", b',', "text", Defaults { labels, ..Defaults::default() })
    }

    /// Every row written back with the column `new`.
    fn through(input: &[u8]) -> Vec<u8> {
        let reader = reader(input).unwrap();
        let columns = Columns::new(reader.header(), &["new".into()], reader.dialect());
        let mut out = Vec::new();
        columns.write_header(&mut out);
        for entry in reader.flatten() {
            columns.write(&entry.raw, &["1".into()], &mut out);
        }
        out
    }

    #[test]
    fn columns_come_out_as_they_went_in_with_new_ones_behind() {
        let input = b"id,text\n007,\"a, b\"\n8,\"two\nlines\"\n";
        assert_eq!(through(input), b"id,text,new\n007,\"a, b\",1\n8,\"two\nlines\",1\n");
    }

    #[test]
    fn an_empty_text_stays_one_and_is_no_missing_one() {
        let input = b"text,id,note\n\"\",,\"\"\na,\"\",\n";
        assert_eq!(through(input), b"text,id,note,new\n\"\",,\"\",1\na,\"\",,1\n");
        // Cells that are missing, that are too many, and that are replaced.
        assert_eq!(through(b"id,text\n\"\"\n,a,\"\",\n"), b"id,text,new\n\"\",,1\n,a,1,\"\",\n");
        assert_eq!(through(b"text,new\na,\"\"\n"), b"text,new\na,1\n");
    }

    #[test]
    fn line_ends_and_a_byte_order_mark_stay_and_are_no_part_of_a_name() {
        assert_eq!(through(b"\xef\xbb\xbftext\r\na\r\n"), b"\xef\xbb\xbftext,new\r\na,1\r\n");
        assert_eq!(through(b"\xef\xbb\xbf\"a,b\",text\n1,2\n"), b"\xef\xbb\xbf\"a,b\",text,new\n1,2,1\n");
    }

    #[test]
    fn line_ends_are_known_however_little_comes_at_once() {
        for (input, crlf) in [(&b"id,text\r\n1,a\n"[..], true), (b"id,text\n1,a\r\n", false)] {
            for size in 1..12 {
                let parts = std::io::BufReader::with_capacity(size, input);
                let reader = Reader::new(parts, "in.csv", b',', "text", Defaults::default()).unwrap();
                assert_eq!(reader.dialect().crlf, crlf, "{size}");
            }
        }
    }

    #[test]
    fn a_column_that_is_there_is_overwritten_and_of_several_the_first() {
        assert_eq!(through(b"new,text\nold,a\n"), b"new,text\n1,a\n");
        assert_eq!(through(b"new,text,new\nold,a,old\n"), b"new,text,new\n1,a,old\n");
    }

    #[test]
    fn quotes_around_a_name_in_tsv_are_no_part_of_it() {
        let reader = tsv(b"\"text\"\t\"new\"\tid\na\told\t1\n");
        assert_eq!(reader.names().collect::<Vec<_>>(), ["text", "new", "id"]);
        let columns = Columns::new(reader.header(), &["new".into(), "id".into()], reader.dialect());
        let mut out = Vec::new();
        columns.write_header(&mut out);
        reader.flatten().for_each(|entry| columns.write(&entry.raw, &["2".into(), "3".into()], &mut out));
        assert_eq!(out, b"\"text\"\t\"new\"\tid\na\t2\t3\n");
    }

    #[test]
    fn a_row_of_another_width_is_a_bad_record_and_loses_nothing() {
        let input = b"id,text\n1\n2,a,b\n";
        let records: Vec<_> = reader(input).unwrap().map(|entry| entry.unwrap().record.is_ok()).collect();
        assert_eq!(records, [false, false]);
        assert_eq!(through(input), b"id,text,new\n1,,1\n2,a,1,b\n");
    }

    #[test]
    fn a_row_knows_its_line_whatever_ends_it() {
        for input in ["id,text\n1,a\n2,b\n", "id,text\r\n1,a\r\n2,b\r\n"] {
            let lines: Vec<_> = reader(input.as_bytes()).unwrap().map(|entry| entry.unwrap().raw.begin.line).collect();
            assert_eq!(lines, [2, 3], "{input:?}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_an_error_and_one_that_is_closed_is_not() {
        for input in [
            "id,text\n1,\"a\n2,b\n",
            "id,text\r\n1,\"a\r\n2,b\r\n",
            "id,text\n1,\"a\n2,b",
            "id,text\n1,\"a",
            "id,text\n1,\"a\n2,\"\"b\"\"",
        ] {
            let error = reader(input.as_bytes()).unwrap().next().unwrap().unwrap_err().to_string();
            assert_eq!(error, "in.csv:2: a quote is opened in this row and never closed", "{input:?}");
        }
        for input in [
            "id,text\n1,\"a\n\"\n",
            "id,text\r\n1,\"a\r\n\"\r\n",
            "id,text\n1,\"a\nb\"",
            "id,text\n1,b\n\n",
            "id,text\n1,\"a\nb\"\n\n",
            "id,text\n1,\"a\nb\" ",
        ] {
            assert!(reader(input.as_bytes()).unwrap().all(|entry| entry.is_ok()), "{input:?}");
        }
    }

    fn tsv(input: &[u8]) -> Reader<&[u8]> {
        let labels = Some(Arc::new(LabelSet::flat(vec!["a".into()]).unwrap()));
        Reader::new(input, "in.tsv", TAB, "text", Defaults { labels, ..Defaults::default() }).unwrap()
    }

    #[test]
    fn in_tsv_a_line_is_a_row_whatever_quotes_there_are() {
        let input = b"\"text\"\tid\n\"Great movie\t1\nShe said \"\t2\n\"He said \"\"no\"\"\"\t3\n\"a\" or \"b\"\t4\n";
        let texts: Vec<String> = tsv(input).map(|entry| entry.unwrap().record.unwrap().text).collect();
        assert_eq!(texts, ["\"Great movie", "She said \"", "He said \"no\"", "\"a\" or \"b\""]);
        let (reader, mut out) = (tsv(input), Vec::new());
        let columns = Columns::new(reader.header(), &["new".into()], reader.dialect());
        columns.write_header(&mut out);
        reader.flatten().for_each(|entry| columns.write(&entry.raw, &["1".into()], &mut out));
        let expected = String::from_utf8(input.to_vec()).unwrap().replace('\n', "\t1\n").replacen("\t1", "\tnew", 1);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn what_is_written_into_a_cell_of_tsv_is_read_from_it_and_stays_in_it() {
        let dialect = Dialect { delimiter: TAB, crlf: false, marked: false };
        for value in ["plain", "\"", "\"\"", "\"quoted\"", "say \"no\"", ""] {
            assert_eq!(unquoted(&dialect.cell(value), TAB), value);
        }
        assert_eq!(dialect.cell("a\tb\r\nc"), "a b  c");
    }

    #[test]
    fn a_row_that_may_have_taken_others_is_a_bad_record_and_loses_nothing() {
        let input = b"id,text\n1,ok\n2,\"open\n3,x\n4,the \"end\"\n5,ok\n";
        let records: Vec<_> = reader(input).unwrap().map(|entry| entry.unwrap().record).collect();
        assert!(records.len() == 3 && records[0].is_ok() && records[2].is_ok());
        let error = records[1].as_ref().unwrap_err().to_string();
        assert!(error.starts_with("quotes around several lines are closed in the middle of a cell"), "{error}");
        let expected = "id,text,new\n1,ok,1\n2,\"open\n3,x\n4,the end\"\"\",1\n5,ok,1\n";
        assert_eq!(String::from_utf8(through(input)).unwrap(), expected);
    }

    #[test]
    fn a_blank_line_is_a_row_of_tsv_and_none_of_csv() {
        let texts = |reader: Reader<&[u8]>| -> Vec<_> {
            reader
                .map(|entry| entry.unwrap().record.map_or_else(|error| error.to_string(), |record| record.text))
                .collect()
        };
        let input = b"text\nfirst\n\nthe\rthird\r\n\n";
        assert_eq!(texts(tsv(input)), ["first", "", "the\rthird", ""]);
        assert_eq!(texts(reader(input).unwrap()), ["first", "the", "third"]);
        assert_eq!(texts(tsv(b"id\ttext\n\n1\ta\n")), ["1 columns where the header has 2", "a"]);
    }

    #[test]
    fn invalid_utf8_is_a_bad_record() {
        let record = reader(b"text\n\xff\n").unwrap().next().unwrap().unwrap().record;
        let error = record.unwrap_err().to_string();
        assert_eq!(error, "column \"text\": invalid UTF-8 at byte 1: convert the file to UTF-8");
    }

    #[test]
    fn a_header_without_the_text_column_is_refused_with_what_it_has() {
        let error = reader(b"id,body\n").err().unwrap().to_string();
        assert_eq!(error, "in.csv: no column \"text\" in the header (id, body): give --text-field");
    }

    #[test]
    fn what_names_no_column_is_no_header() {
        let errors = [reader(b"\n\r\n").err(), reader(b",,\na,b,c\n").err()];
        for error in errors {
            assert_eq!(error.unwrap().to_string(), "in.csv: no header: name the columns in the first line");
        }
    }

    #[test]
    fn lines_that_end_otherwise_are_told_by_the_header() {
        let labels = Some(Arc::new(LabelSet::flat(vec!["a".into()]).unwrap()));
        let defaults = Defaults { labels, ..Defaults::default() };
        let error = Reader::new(&b"text\ra\rb"[..], "in.tsv", TAB, "text", defaults).err().unwrap().to_string();
        assert!(error.ends_with("`tr '\\r' '\\n'` does"), "{error}");
    }

    #[test]
    fn another_separator_or_form_is_told_by_the_header() {
        for (header, remedy) in [
            (&b"text\tid\n"[..], "give --input-format tsv"),
            (b"text;id\n", "separate its columns by commas, not by semicolons"),
            (b"{\"text\":\"We won\",\"label\":\"sport\"}\n", "give --input-format jsonl"),
            (b"{id},body\n", "give --text-field"),
            (b"sep=,\ntext,id\n", "remove the first line, which is no header"),
            (b"sep=;\ntext;id\n", "remove the first line, which is no header"),
            (b"body\n", "give --text-field"),
        ] {
            let error = reader(header).err().unwrap().to_string();
            assert!(error.ends_with(remedy), "{error}");
        }
    }

    proptest! {
        #[test]
        fn rows_are_written_as_the_library_writes_them(
            row in proptest::collection::vec("[ab,\"\r\n ]{0,6}", 1..5),
            crlf in any::<bool>(),
        ) {
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut library = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
            library.write_record(&row).unwrap();
            let mut out = Vec::new();
            write_row(&row, Dialect { delimiter: b',', crlf, marked: false }, &mut out);
            prop_assert_eq!(out, library.into_inner().unwrap());
        }

        #[test]
        fn every_table_comes_back(rows in proptest::collection::vec(("\\PC*", "[ -~\n\r\",]*"), 0..8)) {
            let dialect = Dialect { delimiter: b',', crlf: false, marked: false };
            let mut input = Vec::new();
            write_row(["id", "text"], dialect, &mut input);
            rows.iter().for_each(|(id, text)| write_row([id, text], dialect, &mut input));
            let out = through(&input);
            let read = csv::Reader::from_reader(&out[..]).into_records();
            let read: Vec<_> = read.map(|row| row.unwrap()).map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
            prop_assert_eq!(read, rows);
        }
    }
}
