//! Reads records from Parquet, row group by row group.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::data_type::ByteArray;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::serialized_reader::ReadOptionsBuilder;
use serde_json::Value;

use super::column::{self, Cell, Column};
use super::{Row, check, damaged, library, place};
use crate::error::{Error, Result};
use crate::records::{Defaults, Entry, LabelSet, NO_PARQUET, Place, Reading, Record, Source, begins_as_parquet};

/// Records that are unpacked at once.
const HANDFUL: usize = 64;

/// The column of a record's own candidate labels.
const LABELS: &str = "labels";

/// What a row says.
struct Cells {
    text: Cell,
    labels: Option<Vec<Cell>>,
}

impl Cells {
    /// How much memory it takes, in bytes.
    fn size(&self) -> usize {
        let size = |cell: &Cell| cell.as_ref().map_or(0, ByteArray::len);
        size(&self.text) + self.labels.iter().flatten().map(|label| size(label) + size_of::<Cell>()).sum::<usize>()
    }
}

/// The columns of the row group that is read.
struct Open {
    text: Column,
    labels: Option<Column>,
}

/// Reads records from a Parquet file.
pub struct Reader {
    file: SerializedFileReader<File>,
    name: PathBuf,
    reading: Reading,
    text_column: usize,
    labels_column: Option<usize>,
    /// The first row of each row group, then the number of all rows.
    bounds: Vec<u64>,
    /// The row group of the next row, and that row.
    group: usize,
    row: u64,
    open: Option<Open>,
    read: VecDeque<Cells>,
    /// The labels of the last record that had its own: the next often has the same.
    own: Option<(Vec<Cell>, Arc<LabelSet>)>,
}

impl Reader {
    /// A reader of the file at `path`; reads its footer.
    ///
    /// # Errors
    /// The file cannot be read or is no Parquet, has no column of text of the wanted name, or there are no labels.
    pub fn open(path: &Path, reading: Reading) -> Result<Self> {
        let mut file = File::open(path).map_err(|error| Error::io(path, error))?;
        let mut start = Vec::new();
        file.by_ref().take(4).read_to_end(&mut start).map_err(|error| Error::io(path, error))?;
        if !begins_as_parquet(&start) {
            return Err(Error::Usage(format!("{}: {NO_PARQUET}", path.display())));
        }
        // All that is said of a column goes with it when it is copied.
        let options = ReadOptionsBuilder::new().with_encoding_stats_as_mask(false).build();
        let size = file.metadata().map_err(|error| Error::io(path, error))?.len();
        let file = library(path, || SerializedFileReader::new_with_options(file, options))?;
        check(path, size, file.metadata())?;
        let schema = file.metadata().file_metadata().schema_descr();
        let name = path.display();
        let refused = |what| Error::Usage(format!("{name}: {what}"));
        let text_column = column::find_text(schema, &reading.text_field).map_err(refused)?;
        let labels_column = match reading.text_field.as_str() {
            LABELS => None,
            _ => column::find_list(schema, LABELS).map_err(refused)?,
        };
        if labels_column.is_none() && reading.defaults.labels.is_none() {
            return Err(Error::Usage(format!(
                "{name}: no labels: give --labels, or the file a column {LABELS:?} of lists of texts"
            )));
        }
        let wanted = [Some(text_column), labels_column].into_iter().flatten();
        column::check_packing(file.metadata(), wanted).map_err(refused)?;
        let bounds = bounds(file.metadata());
        Ok(Self {
            file,
            name: path.to_owned(),
            reading,
            text_column,
            labels_column,
            bounds,
            group: 0,
            row: 0,
            open: None,
            read: VecDeque::new(),
            own: None,
        })
    }

    /// What the footer says.
    pub fn metadata(&self) -> &ParquetMetaData {
        self.file.metadata()
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.bounds.last().copied().unwrap_or(0)
    }

    /// The rows of the row groups that begin in `range`.
    pub fn whole_groups(&self, range: Range<u64>) -> Range<u64> {
        self.bound_from(range.start)..self.bound_from(range.end)
    }

    /// The first row of the first row group that begins at `row` or after it.
    fn bound_from(&self, row: u64) -> u64 {
        self.bounds.iter().copied().find(|&bound| bound >= row).unwrap_or(self.rows())
    }

    /// Goes on at a row group, which begins at `row`.
    fn go_to(&mut self, row: u64) {
        // Of row groups without rows the last one begins there, too.
        self.group = self.bounds.partition_point(|&bound| bound <= row).saturating_sub(1);
        self.row = row;
        self.open = None;
        self.read.clear();
    }

    /// Reads some more rows; none at the end.
    fn fill(&mut self) -> Result<()> {
        while self.group + 1 < self.bounds.len() && self.row == self.bounds[self.group + 1] {
            self.group += 1;
            self.open = None;
        }
        let Some(&end) = self.bounds.get(self.group + 1) else { return Ok(()) };
        let count = (end - self.row).min(HANDFUL as u64) as usize;
        let open = self.open.take().map_or_else(|| library(&self.name, || self.open_group()), Ok)?;
        let open = self.open.insert(open);
        let read = library(&self.name, || open.read(count))?;
        if read.len() != count {
            return Err(damaged(&self.name, format_args!("row group {} ends too early", self.group)));
        }
        self.read = read;
        Ok(())
    }

    fn open_group(&self) -> parquet::errors::Result<Open> {
        let group = self.file.get_row_group(self.group)?;
        let text = Column::new(&*group, self.text_column)?;
        let labels = self.labels_column.map(|column| Column::new(&*group, column)).transpose()?;
        Ok(Open { text, labels })
    }

    fn next_row(&mut self) -> Result<Option<(Row, Cells)>> {
        if self.read.is_empty() {
            self.fill()?;
        }
        let Some(cells) = self.read.pop_front() else { return Ok(None) };
        let number = self.row;
        self.row += 1;
        let ends = (self.row == self.bounds[self.group + 1]).then_some(self.group);
        Ok(Some((Row { number, ends }, cells)))
    }

    fn record(&mut self, cells: Cells) -> Result<Record> {
        let field = &self.reading.text_field;
        let text = cells.text.ok_or_else(|| Error::Record(format!("no text in column {field:?}")))?;
        let text = text_of(&text).map_err(|error| Error::Record(format!("column {field:?}: {error}")))?.to_owned();
        let Some(own) = cells.labels else { return self.reading.defaults.record(text) };
        let labels = self.own_labels(own)?;
        Defaults { labels: Some(labels), ..self.reading.defaults.clone() }.record(text)
    }

    fn own_labels(&mut self, own: Vec<Cell>) -> Result<Arc<LabelSet>> {
        if let Some((_, labels)) = self.own.as_ref().filter(|(cells, _)| *cells == own) {
            return Ok(Arc::clone(labels));
        }
        let value = |cell: &Cell| -> Result<Value> {
            cell.as_ref().map_or(Ok(Value::Null), |bytes| text_of(bytes).map(Value::from))
        };
        let labels = own
            .iter()
            .map(value)
            .collect::<Result<Vec<_>>>()
            .and_then(|names| LabelSet::from_json(&Value::Array(names), &self.reading.defaults.label_separator))
            .map_err(|error| Error::Record(format!("column {LABELS:?}: {error}")))?;
        let labels = Arc::new(labels);
        self.own = Some((own, Arc::clone(&labels)));
        Ok(labels)
    }
}

impl Open {
    fn read(&mut self, count: usize) -> parquet::errors::Result<VecDeque<Cells>> {
        let texts = self.text.texts(count)?;
        let labels = match &mut self.labels {
            Some(labels) => labels.lists(count)?,
            None => vec![None; texts.len()],
        };
        Ok(texts.into_iter().zip(labels).map(|(text, labels)| Cells { text, labels }).collect())
    }
}

fn bounds(metadata: &ParquetMetaData) -> Vec<u64> {
    let mut bounds = vec![0_u64];
    for group in metadata.row_groups() {
        bounds.push(bounds[bounds.len() - 1].saturating_add(group.num_rows() as u64));
    }
    bounds
}

fn text_of(bytes: &ByteArray) -> Result<&str> {
    std::str::from_utf8(bytes.data())
        .map_err(|error| Error::Record(format!("invalid UTF-8 at byte {}: give UTF-8", error.valid_up_to() + 1)))
}

impl Iterator for Reader {
    type Item = Result<Entry<Row>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (raw, cells) = match self.next_row().transpose()? {
            Ok(next) => next,
            Err(error) => return Some(Err(error)),
        };
        let bytes = cells.size();
        let record = self.record(cells);
        Some(Ok(Entry { raw, bytes, record }))
    }
}

impl Source for Reader {
    type Raw = Row;

    fn name(&self) -> &Path {
        &self.name
    }

    fn pass_over(&mut self) -> Result<Option<Row>> {
        Ok(self.next_row()?.map(|(row, _)| row))
    }

    fn is_at_end(&mut self) -> Result<bool> {
        Ok(self.bounds.last().is_none_or(|&rows| self.row >= rows))
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn seek(&mut self, at: Place) -> Result<()> {
        if at != place(at.byte) || !self.bounds.contains(&at.byte) {
            let (name, row) = (self.name.display(), at.byte);
            return Err(Error::Usage(format!("{name}: no row group begins at row {row}: --force starts again")));
        }
        self.go_to(at.byte);
        Ok(())
    }

    fn seek_record(&mut self, row: u64) -> Result<()> {
        self.go_to(self.bound_from(row));
        Ok(())
    }
}
