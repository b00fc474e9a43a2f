//! CSV and TSV: the columns come out as they went in, with the predictions' columns set behind them.
//!
//! CSV has quotes, inside which there are commas and line ends. In TSV a line is a row and a tab ends a cell, whatever
//! quotes there are: a text that begins with one would else take the rows behind it. Where quotes stand around the whole
//! of a cell, as pandas and spreadsheets write them, they are no part of what it holds.

use std::borrow::Cow;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Position, QuoteStyle, ReaderBuilder, StringRecord, Terminator, WriterBuilder};
use sha2::{Digest, Sha256};

use super::input::Stream;
use super::{Defaults, Entry, LONGEST, Place, Raw, Record, Source};
use crate::error::{Error, Result};

/// How the columns are told apart and the rows end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Between the columns.
    pub delimiter: u8,
    /// Whether rows end in CR LF.
    pub crlf: bool,
}

const TAB: u8 = b'\t';

impl Dialect {
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

/// Reads rows with this between the columns.
pub fn rows(delimiter: u8) -> ReaderBuilder {
    let mut builder = ReaderBuilder::new();
    builder.delimiter(delimiter).quoting(delimiter != TAB);
    builder
}

/// What a row that [`rows`] has read holds.
pub fn unquoted_row(row: &StringRecord, delimiter: u8) -> StringRecord {
    row.iter().map(|cell| unquoted(cell, delimiter)).collect()
}

/// What a cell that [`rows`] has read holds: of TSV, without quotes around it, inside which quotes are written twice.
fn unquoted(cell: &str, delimiter: u8) -> Cow<'_, str> {
    let inside = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inside.filter(|inside| delimiter == TAB && !inside.replace("\"\"", "").contains('"')) {
        Some(inside) => Cow::Owned(inside.replace("\"\"", "\"")),
        None => Cow::Borrowed(cell),
    }
}

/// Whether a column is called so.
fn is_called(column: &[u8], name: &str, delimiter: u8) -> bool {
    unquoted(&String::from_utf8_lossy(column), delimiter) == name
}

/// A row of input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    begin: Place,
    end: Place,
    fields: ByteRecord,
}

impl Raw for Row {
    fn begin(&self) -> Place {
        self.begin
    }

    fn end(&self) -> Place {
        self.end
    }

    fn fingerprint(&self, hash: &mut Sha256) {
        for field in &self.fields {
            hash.update((field.len() as u64).to_le_bytes());
            hash.update(field);
        }
    }
}

/// Reads records from CSV or TSV with a header.
pub struct Reader<B> {
    input: csv::Reader<Rationed<B>>,
    name: PathBuf,
    header: ByteRecord,
    dialect: Dialect,
    text_column: usize,
    defaults: Defaults,
}

/// What to do where the column of the texts is not in a header: a lone column with a separator in it is several.
fn remedy(columns: &[Cow<str>]) -> &'static str {
    match columns {
        [lone] if lone.contains('\t') => "give --input-format tsv",
        [lone] if lone.contains(',') => "give --input-format csv",
        [lone] if lone.contains(';') => "separate its columns by commas, not by semicolons",
        _ => "give --text-field",
    }
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
        let crlf = start.iter().position(|&byte| byte == b'\n').is_some_and(|end| start[..end].ends_with(b"\r"));
        let mut input = rows(delimiter).flexible(true).from_reader(Rationed::new(input));
        let header = input.byte_headers().map_err(|error| failure(&name, error))?.clone();
        let text_column =
            header.iter().position(|column| is_called(column, text_field, delimiter)).ok_or_else(|| {
                let columns: Vec<_> = header.iter().map(String::from_utf8_lossy).collect();
                let remedy = remedy(&columns);
                let (name, columns) = (name.display(), columns.join(", "));
                Error::Usage(format!("{name}: no column {text_field:?} in the header ({columns}): {remedy}"))
            })?;
        Ok(Self { input, name, header, dialect: Dialect { delimiter, crlf }, text_column, defaults })
    }

    /// The names of the columns.
    pub fn header(&self) -> &ByteRecord {
        &self.header
    }

    /// How the input is written, to write the output likewise.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn row(&mut self) -> Result<Option<Row>> {
        self.input.get_mut().left = LONGEST;
        let begin = self.place();
        let mut fields = ByteRecord::new();
        let found = self.input.read_byte_record(&mut fields).map_err(|error| {
            let at = format!("{}:{}", self.name.display(), begin.line);
            failure(at.as_ref(), error)
        })?;
        if found && self.input.get_ref().swallowed(fields.iter().next_back()) {
            let (name, line) = (self.name.display(), begin.line);
            return Err(Error::Usage(format!("{name}:{line}: a quote is opened in this row and never closed")));
        }
        Ok(found.then(|| Row { begin, end: self.place(), fields }))
    }

    /// Where the next row begins. The csv crate stops between the two bytes of a CRLF, and counts the lines to there.
    fn place(&self) -> Place {
        let position = self.input.position();
        Place { line: position.line() + u64::from(self.dialect.crlf), byte: position.byte() }
    }

    fn record(&self, fields: &ByteRecord) -> Result<Record> {
        if fields.len() != self.header.len() {
            let (found, expected) = (fields.len(), self.header.len());
            return Err(Error::Record(format!("{found} columns where the header has {expected}")));
        }
        let text = std::str::from_utf8(&fields[self.text_column]).map_err(|error| {
            let column = String::from_utf8_lossy(&self.header[self.text_column]);
            Error::Record(format!("column {column:?}: invalid UTF-8 at byte {}", error.valid_up_to() + 1))
        })?;
        self.defaults.record(unquoted(text, self.dialect.delimiter).into_owned())
    }
}

impl<B: BufRead> Iterator for Reader<B> {
    type Item = Result<Entry<Row>>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.row().transpose()?;
        Some(row.map(|raw| Entry { bytes: raw.fields.as_slice().len(), record: self.record(&raw.fields), raw }))
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

    fn is_seekable(&self) -> bool {
        self.input.get_ref().input.is_seekable()
    }

    fn seek(&mut self, place: Place) -> Result<()> {
        let mut position = Position::new();
        position.set_byte(place.byte).set_line(place.line.saturating_sub(u64::from(self.dialect.crlf)));
        self.input.seek(position).map_err(|error| failure(&self.name, error))
    }

    /// Reads from the start: a line end may lie inside quotes.
    fn seek_record(&mut self, byte: u64) -> Result<()> {
        while self.input.position().byte() < byte && self.row()?.is_some() {}
        Ok(())
    }
}

/// An input that fails where a row has no end: an open quote swallows all the rest.
struct Rationed<B> {
    input: B,
    /// Bytes that the row may still take.
    left: u64,
    /// The last byte that was read.
    last: u8,
    /// Whether there are no more.
    at_end: bool,
}

impl<B> Rationed<B> {
    fn new(input: B) -> Self {
        Self { input, left: LONGEST, last: 0, at_end: false }
    }

    /// Whether the row that was read, whose last field is `field`, is one only because a quote was never closed: it
    /// took the end of the input to end it, and the field has lines and no quote behind them.
    fn swallowed(&self, field: Option<&[u8]>) -> bool {
        self.at_end && self.last != b'"' && field.is_some_and(|field| field.contains(&b'\n'))
    }
}

impl<B: BufRead> Read for Rationed<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("a row longer than 1 GiB begins here: is a quote missing?"));
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.input.read(&mut buffer[..most])?;
        self.left -= read as u64;
        self.at_end = read == 0 && most > 0;
        self.last = buffer[..read].last().copied().unwrap_or(self.last);
        Ok(read)
    }
}

impl<B: Seek> Seek for Rationed<B> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.at_end = false;
        self.input.seek(position)
    }
}

fn failure(name: &Path, error: csv::Error) -> Error {
    let text = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::io(name, source),
        _ => Error::Usage(format!("{}: {text}", name.display())),
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
        let mut all = header.clone();
        let mut places = Vec::with_capacity(added.len());
        for name in added {
            let place = all.iter().position(|column| is_called(column, name, dialect.delimiter));
            places.push(place.unwrap_or(all.len()));
            if place.is_none() {
                all.push_field(dialect.cell(name).as_bytes());
            }
        }
        Self { dialect, header: all, width: header.len(), places }
    }

    /// Appends the header to `out`.
    pub fn write_header(&self, out: &mut Vec<u8>) {
        write_row(&self.header, self.dialect, out);
    }

    /// Appends a row to `out`, with one value for each new column, in their order; where there are fewer values, the
    /// columns without one keep what they have.
    ///
    /// A row that is too short is filled up; what a row has too much stands at its end.
    pub fn write(&self, row: &Row, values: &[String], out: &mut Vec<u8>) {
        let values: Vec<Cow<'_, str>> = values.iter().map(|value| self.dialect.cell(value)).collect();
        let mut fields: Vec<&[u8]> = row.fields.iter().take(self.width).collect();
        fields.resize(self.header.len(), b"");
        for (&place, value) in self.places.iter().zip(&values) {
            fields[place] = value.as_bytes();
        }
        fields.extend(row.fields.iter().skip(self.width));
        write_row(fields, self.dialect, out);
    }
}

/// Appends one row to `out`, quoted where it must be; of TSV cells, as they are.
pub fn write_row<I, T>(fields: I, dialect: Dialect, out: &mut Vec<u8>)
where
    I: IntoIterator<Item = T>,
    T: AsRef<[u8]>,
{
    let terminator = if dialect.crlf { Terminator::CRLF } else { Terminator::Any(b'\n') };
    let quotes = if dialect.delimiter == TAB { QuoteStyle::Never } else { QuoteStyle::Necessary };
    let mut writer = WriterBuilder::new()
        .delimiter(dialect.delimiter)
        .terminator(terminator)
        .quote_style(quotes)
        .flexible(true)
        .from_writer(out);
    writer.write_record(fields).and_then(|()| Ok(writer.flush()?)).expect("memory takes every row; this is a bug");
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
    fn line_ends_stay_and_a_byte_order_mark_is_no_part_of_a_name() {
        assert_eq!(through(b"\xef\xbb\xbftext\r\na\r\n"), b"text,new\r\na,1\r\n");
    }

    #[test]
    fn a_column_that_is_there_is_overwritten() {
        assert_eq!(through(b"new,text\nold,a\n"), b"new,text\n1,a\n");
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
            let lines: Vec<_> =
                reader(input.as_bytes()).unwrap().map(|entry| entry.unwrap().raw.begin().line).collect();
            assert_eq!(lines, [2, 3], "{input:?}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_an_error_and_one_that_is_closed_is_not() {
        for input in ["id,text\n1,\"a\n2,b\n", "id,text\r\n1,\"a\r\n2,b\r\n", "id,text\n1,\"a\n2,b"] {
            let error = reader(input.as_bytes()).unwrap().next().unwrap().unwrap_err().to_string();
            assert_eq!(error, "in.csv:2: a quote is opened in this row and never closed", "{input:?}");
        }
        for input in [
            "id,text\n1,\"a\n\"\n",
            "id,text\r\n1,\"a\r\n\"\r\n",
            "id,text\n1,\"a\nb\"",
            "id,text\n1,b\n\n",
            "id,text\n1,\"a\nb\"\n\n",
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
        let dialect = Dialect { delimiter: TAB, crlf: false };
        for value in ["plain", "\"", "\"\"", "\"quoted\"", "say \"no\"", ""] {
            assert_eq!(unquoted(&dialect.cell(value), TAB), value);
        }
        assert_eq!(dialect.cell("a\tb\r\nc"), "a b  c");
    }

    #[test]
    fn a_row_without_an_end_is_not_read_for_ever() {
        let mut input = Rationed { left: 1 << 20, ..Rationed::new(io::BufReader::new(io::repeat(b'a'))) };
        let error = io::copy(&mut input, &mut io::sink()).unwrap_err();
        assert!(error.to_string().contains("is a quote missing?"), "{error}");
    }

    #[test]
    fn invalid_utf8_is_a_bad_record() {
        let record = reader(b"text\n\xff\n").unwrap().next().unwrap().unwrap().record;
        assert_eq!(record.unwrap_err().to_string(), "column \"text\": invalid UTF-8 at byte 1");
    }

    #[test]
    fn a_header_without_the_text_column_is_refused_with_what_it_has() {
        let error = reader(b"id,body\n").err().unwrap().to_string();
        assert_eq!(error, "in.csv: no column \"text\" in the header (id, body): give --text-field");
    }

    #[test]
    fn another_separator_is_told_by_the_header() {
        for (header, remedy) in [
            (&b"text\tid\n"[..], "give --input-format tsv"),
            (b"text;id\n", "separate its columns by commas, not by semicolons"),
            (b"body\n", "give --text-field"),
        ] {
            let error = reader(header).err().unwrap().to_string();
            assert!(error.ends_with(remedy), "{error}");
        }
    }

    proptest! {
        #[test]
        fn every_table_comes_back(rows in proptest::collection::vec(("\\PC*", "[ -~\n\r\",]*"), 0..8)) {
            let dialect = Dialect { delimiter: b',', crlf: false };
            let mut input = Vec::new();
            write_row(["id", "text"], dialect, &mut input);
            rows.iter().for_each(|(id, text)| write_row([id, text], dialect, &mut input));
            let out = through(&input);
            let read = ReaderBuilder::new().from_reader(&out[..]).into_records();
            let read: Vec<_> = read.map(|row| row.unwrap()).map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
            prop_assert_eq!(read, rows);
        }

        #[test]
        fn no_input_panics(input in proptest::collection::vec(any::<u8>(), 0..200)) {
            let input = [b"text,id\n", &input[..]].concat();
            through(&input);
        }
    }
}
