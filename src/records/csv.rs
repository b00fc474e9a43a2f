//! CSV and TSV: the columns come out as they went in, with the predictions' columns set behind them.

use std::io::BufRead;
use std::path::PathBuf;

use csv::{ByteRecord, ReaderBuilder, Terminator, WriterBuilder};

use super::{Defaults, Entry, Record};
use crate::error::{Error, Result};

/// How the columns are told apart and the rows end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Between the columns.
    pub delimiter: u8,
    /// Whether rows end in CR LF.
    pub crlf: bool,
}

/// A row of input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The line it begins on, from 1.
    pub number: u64,
    fields: ByteRecord,
}

impl Row {
    /// How many bytes it takes, about: quotes are gone.
    pub fn size(&self) -> usize {
        self.fields.as_slice().len() + self.fields.len()
    }
}

/// Reads records from CSV or TSV with a header.
pub struct Reader<B> {
    input: csv::Reader<B>,
    name: PathBuf,
    header: ByteRecord,
    dialect: Dialect,
    text_column: usize,
    defaults: Defaults,
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
        let mut input = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(input);
        let header = input.byte_headers().map_err(|error| failure(&name, error))?.clone();
        let text_column = header.iter().position(|column| column == text_field.as_bytes()).ok_or_else(|| {
            let columns: Vec<_> = header.iter().map(String::from_utf8_lossy).collect();
            let (name, columns) = (name.display(), columns.join(", "));
            Error::Usage(format!("{name}: no column {text_field:?} in the header ({columns}): give --text-field"))
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

    fn record(&self, fields: &ByteRecord) -> Result<Record> {
        if fields.len() != self.header.len() {
            let (found, expected) = (fields.len(), self.header.len());
            return Err(Error::Record(format!("{found} columns where the header has {expected}")));
        }
        let text = std::str::from_utf8(&fields[self.text_column]).map_err(|error| {
            let column = String::from_utf8_lossy(&self.header[self.text_column]);
            Error::Record(format!("column {column:?}: invalid UTF-8 at byte {}", error.valid_up_to() + 1))
        })?;
        self.defaults.record(text.to_owned())
    }
}

impl<B: BufRead> Iterator for Reader<B> {
    type Item = Result<Entry<Row>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut fields = ByteRecord::new();
        match self.input.read_byte_record(&mut fields) {
            Ok(false) => None,
            Ok(true) => {
                let number = fields.position().map_or(0, csv::Position::line);
                let record = self.record(&fields);
                let raw = Row { number, fields };
                Some(Ok(Entry { bytes: raw.size(), raw, record }))
            }
            Err(error) => Some(Err(failure(&self.name, error))),
        }
    }
}

fn failure(name: &std::path::Path, error: csv::Error) -> Error {
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
    /// For each new column, its place in the row.
    places: Vec<usize>,
}

impl Columns {
    /// Rows of `header`'s columns with those called `added` behind them.
    pub fn new(header: &ByteRecord, added: &[String], dialect: Dialect) -> Self {
        let mut all = header.clone();
        let mut places = Vec::with_capacity(added.len());
        for name in added {
            let place = all.iter().position(|column| column == name.as_bytes());
            places.push(place.unwrap_or(all.len()));
            if place.is_none() {
                all.push_field(name.as_bytes());
            }
        }
        Self { dialect, header: all, places }
    }

    /// Appends the header to `out`.
    pub fn write_header(&self, out: &mut Vec<u8>) {
        write_row(&self.header, self.dialect, out);
    }

    /// Appends a row to `out`, with one value for each new column; a row that is too short is filled up.
    pub fn write(&self, row: &Row, values: &[String], out: &mut Vec<u8>) {
        let mut fields: Vec<&[u8]> = row.fields.iter().collect();
        fields.resize(fields.len().max(self.header.len()), b"");
        for (&place, value) in self.places.iter().zip(values) {
            fields[place] = value.as_bytes();
        }
        write_row(fields, self.dialect, out);
    }
}

/// Appends one row to `out`, quoted where it must be.
pub fn write_row<I, T>(fields: I, dialect: Dialect, out: &mut Vec<u8>)
where
    I: IntoIterator<Item = T>,
    T: AsRef<[u8]>,
{
    let terminator = if dialect.crlf { Terminator::CRLF } else { Terminator::Any(b'\n') };
    let mut writer =
        WriterBuilder::new().delimiter(dialect.delimiter).terminator(terminator).flexible(true).from_writer(out);
    writer.write_record(fields).and_then(|()| Ok(writer.flush()?)).expect("memory takes every row; this is a bug");
}
