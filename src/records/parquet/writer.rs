//! Writes row groups back with columns of their own behind those they came with.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{
    FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetMetaDataWriter,
    RowGroupMetaData,
};
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::{SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type, TypePtr};

use super::{MAGIC, Reader, guarded, library, words};
use crate::error::{Error, Result};
use crate::records::Source;
use crate::records::names::{ERROR, PREDICTED_LABELS, PREDICTED_SCORES};

/// Bytes at the end of a footer behind what it says: its length, and [`MAGIC`].
const FOOTER_END: usize = 8;

/// Rows whose values are handed on at once.
const HANDFUL: usize = 1024;

/// Who wrote a file, in the form that readers look for.
const CREATED_BY: &str = concat!("gliclass version ", env!("CARGO_PKG_VERSION"));

/// Descriptions of the columns as they were, by which other programs would not see the new ones.
const DESCRIPTIONS: [&str; 4] =
    ["ARROW:schema", "org.apache.spark.sql.parquet.row.metadata", "parquet.avro.schema", "avro.schema"];

/// What was found for one row: labels and their scores, or why there are none.
pub type Found<'a> = std::result::Result<&'a [(&'a str, f32)], &'a str>;

/// The row groups of a file as they are written back.
///
/// A column that is there already by the name of a new one is left out.
pub struct RowGroups {
    input: File,
    name: PathBuf,
    metadata: ParquetMetaData,
    /// Columns of the input that are kept.
    kept: Vec<usize>,
    schema: SchemaDescPtr,
    properties: WriterPropertiesPtr,
    keeps_errors: bool,
    /// The size of the output, and its row groups.
    size: u64,
    groups: Vec<RowGroupMetaData>,
    rows: Rows,
}

/// The new columns of the row group that is not complete yet, in a few bytes for each value.
#[derive(Default)]
struct Rows {
    /// For each row the number of its labels.
    counts: Vec<Option<u32>>,
    /// For each label of all rows its place in `names`, and its score.
    labels: Vec<u32>,
    scores: Vec<f32>,
    /// For each row what is wrong with it.
    errors: Vec<Option<ByteArray>>,
    names: Vec<ByteArray>,
    places: HashMap<String, u32>,
}

impl RowGroups {
    /// Those of the file that `reader` reads, with a column for errors if there is to be one.
    ///
    /// # Errors
    /// The file cannot be read, or has a column `error` of its own, which the new one would replace.
    pub fn new(reader: &Reader, keeps_errors: bool) -> Result<Self> {
        let name = reader.name();
        let is_there = |column: &str| {
            let fields = reader.metadata().file_metadata().schema_descr().root_schema().get_fields();
            fields.iter().any(|field| field.name() == column)
        };
        // Beside predictions it is what an earlier run said.
        if keeps_errors && is_there(ERROR) && !is_there(PREDICTED_LABELS) {
            let name = name.display();
            return Err(Error::Usage(format!(
                "{name}: its column {ERROR:?} would be replaced: rename it, or give --on-error fail"
            )));
        }
        let input = File::open(name).map_err(|error| Error::io(name, error))?;
        let metadata = reader.metadata().clone();
        let keeps_errors = keeps_errors || is_there(ERROR) && is_there(PREDICTED_LABELS);
        let added = added(keeps_errors);
        let before = metadata.file_metadata().schema_descr();
        let is_kept = |field: &Type| added.iter().all(|new| new.name() != field.name());
        let kept = (0..before.num_columns()).filter(|&column| is_kept(before.get_column_root(column))).collect();
        let fields = before.root_schema().get_fields().iter().filter(|field| is_kept(field)).chain(&added);
        let root = Type::group_type_builder(before.name()).with_fields(fields.cloned().collect());
        let root = library(name, || root.build())?;
        Ok(Self {
            input,
            name: name.to_owned(),
            kept,
            schema: Arc::new(SchemaDescriptor::new(Arc::new(root))),
            properties: Arc::new(WriterProperties::builder().set_compression(compression(&metadata)).build()),
            metadata,
            keeps_errors,
            size: 0,
            groups: Vec::new(),
            rows: Rows::default(),
        })
    }

    /// The names of the new columns.
    pub fn added(&self) -> Vec<String> {
        added(self.keeps_errors).iter().map(|field| field.name().to_owned()).collect()
    }

    /// Begins a file.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(MAGIC);
        self.size = MAGIC.len() as u64;
    }

    /// Adds what was found for the next row.
    pub fn push(&mut self, found: Found) {
        self.rows.push(found);
    }

    /// How many rows are held: those of the row group that is not complete yet.
    pub fn held(&self) -> usize {
        self.rows.counts.len()
    }

    /// Row group `number` of the input, with what was found for its rows.
    ///
    /// # Errors
    /// Its columns cannot be read.
    pub fn complete(&mut self, number: usize) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let write = || moved(self.write(number, &mut out)?, self.size);
        let group = library(&self.name, write)?;
        self.groups.push(group);
        self.rows = Rows::default();
        self.size += out.len() as u64;
        Ok(out)
    }

    /// What stands behind the last row group: where each of them is.
    ///
    /// # Errors
    /// There is more to say than a footer holds.
    pub fn footer(&self) -> Result<Vec<u8>> {
        let before = self.metadata.file_metadata();
        let others = |pair: &&KeyValue| !DESCRIPTIONS.contains(&pair.key.as_str());
        let pairs = before.key_value_metadata().map(|pairs| pairs.iter().filter(others).cloned().collect());
        let rows = self.groups.iter().map(RowGroupMetaData::num_rows).sum();
        let file = FileMetaData::new(before.version(), rows, Some(CREATED_BY.into()), pairs, self.schema.clone(), None);
        let metadata = ParquetMetaData::new(file, self.groups.clone());
        let mut out = Vec::new();
        library(&self.name, || ParquetMetaDataWriter::new(&mut out, &metadata).finish())?;
        Ok(out)
    }

    /// Goes on behind the row groups that `footer` speaks of, in a file of `size` bytes without it.
    ///
    /// # Errors
    /// It is no footer of these row groups.
    pub fn go_on(&mut self, footer: &[u8], size: u64) -> Result<()> {
        let said = &footer[..footer.len().saturating_sub(FOOTER_END)];
        let options = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
        let read = || ParquetMetaDataReader::decode_metadata_with_options(said, Some(&options));
        let metadata = guarded(read).map_err(|error| Error::Usage(format!("no footer: {}", words(&error))))?;
        if metadata.file_metadata().schema_descr().root_schema() != self.schema.root_schema() {
            return Err(Error::Usage("a footer of other columns".into()));
        }
        self.groups = metadata.row_groups().to_vec();
        self.size = size;
        Ok(())
    }

    /// Appends a row group to `out`, and says what is where in it.
    fn write(&self, number: usize, out: &mut Vec<u8>) -> ParquetResult<RowGroupMetaData> {
        let mut out = TrackedWrite::new(out);
        let ordinal = i32::try_from(self.groups.len()).map_err(|_| too_many("row groups"))?;
        let properties = Arc::clone(&self.properties);
        let mut group = SerializedRowGroupWriter::new(self.schema.clone(), properties, &mut out, ordinal, None);
        self.copy(number, &mut group)?;
        self.rows.write(&mut group, self.keeps_errors)?;
        let metadata = group.close()?;
        out.flush()?;
        Ok(Arc::unwrap_or_clone(metadata))
    }

    /// Copies the columns that are kept as they are packed.
    fn copy<W: Write + Send>(&self, number: usize, group: &mut SerializedRowGroupWriter<W>) -> ParquetResult<()> {
        let before = self.metadata.row_group(number);
        for &column in &self.kept {
            let metadata = before.column(column).clone();
            let whole = ColumnCloseResult {
                bytes_written: metadata.compressed_size() as u64,
                rows_written: before.num_rows() as u64,
                metadata,
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            group.append_column(&self.input, whole)?;
        }
        Ok(())
    }
}

/// The new columns; the last one is there where errors are kept.
fn added(keeps_errors: bool) -> Vec<TypePtr> {
    let message = format!(
        "message added {{
            optional group {PREDICTED_LABELS} (LIST) {{ repeated group list {{ required binary element (STRING); }} }}
            optional group {PREDICTED_SCORES} (LIST) {{ repeated group list {{ required float element; }} }}
            optional binary {ERROR} (STRING);
        }}"
    );
    let mut fields = match parse_message_type(&message) {
        Ok(Type::GroupType { fields, .. }) => fields,
        _ => unreachable!("a message is a group"),
    };
    if !keeps_errors {
        fields.pop();
    }
    fields
}

/// The new columns are packed as the first one of the file is, where this program can.
fn compression(metadata: &ParquetMetaData) -> Compression {
    let first = metadata.row_groups().first().and_then(|group| group.columns().first());
    match first.map(|column| column.compression()) {
        None | Some(Compression::BROTLI(_) | Compression::LZO | Compression::LZ4) => Compression::SNAPPY,
        Some(one) => one,
    }
}

/// The same row group `distance` bytes farther on.
fn moved(group: RowGroupMetaData, distance: u64) -> ParquetResult<RowGroupMetaData> {
    let distance = distance as i64;
    let columns = group.columns().iter().cloned().map(|column| {
        let (data, dictionary) = (column.data_page_offset(), column.dictionary_page_offset());
        let dictionary = dictionary.map(|offset| offset + distance);
        column.into_builder().set_data_page_offset(data + distance).set_dictionary_page_offset(dictionary).build()
    });
    let columns = columns.collect::<ParquetResult<Vec<_>>>()?;
    group.into_builder().set_column_metadata(columns).set_file_offset(distance).build()
}

fn too_many(what: &str) -> ParquetError {
    ParquetError::General(format!("too many {what}"))
}

impl Rows {
    fn push(&mut self, found: Found) {
        match found {
            Ok(predictions) => {
                self.counts.push(Some(predictions.len() as u32));
                for &(label, score) in predictions {
                    let place = self.place_of(label);
                    self.labels.push(place);
                    self.scores.push(score);
                }
                self.errors.push(None);
            }
            Err(message) => {
                self.counts.push(None);
                self.errors.push(Some(message.as_bytes().to_vec().into()));
            }
        }
    }

    fn place_of(&mut self, label: &str) -> u32 {
        if let Some(&place) = self.places.get(label) {
            return place;
        }
        let place = self.names.len() as u32;
        self.names.push(label.as_bytes().to_vec().into());
        self.places.insert(label.to_owned(), place);
        place
    }

    fn write<W: Write + Send>(&self, group: &mut SerializedRowGroupWriter<W>, keeps_errors: bool) -> ParquetResult<()> {
        let name = |place: &u32| self.names[*place as usize].clone();
        self.write_lists::<ByteArrayType, W>(group, |range| self.labels[range].iter().map(name).collect())?;
        self.write_lists::<FloatType, W>(group, |range| self.scores[range].to_vec())?;
        if keeps_errors { self.write_errors(group) } else { Ok(()) }
    }

    /// Writes one value for each label.
    fn write_lists<T: DataType, W: Write + Send>(
        &self,
        group: &mut SerializedRowGroupWriter<W>,
        values: impl Fn(std::ops::Range<usize>) -> Vec<T::T>,
    ) -> ParquetResult<()> {
        let mut column = group.next_column()?.ok_or_else(|| too_many("columns"))?;
        let mut begin = 0;
        for counts in self.counts.chunks(HANDFUL) {
            let (mut levels, mut repetitions) = (Vec::new(), Vec::new());
            let mut end = begin;
            for count in counts {
                let count = count.map(|count| count as usize);
                match count {
                    None => levels.push(0),
                    Some(0) => levels.push(1),
                    Some(count) => levels.extend(std::iter::repeat_n(2, count)),
                }
                repetitions.push(0);
                repetitions.extend(std::iter::repeat_n(1, count.unwrap_or(0).saturating_sub(1)));
                end += count.unwrap_or(0);
            }
            column.typed::<T>().write_batch(&values(begin..end), Some(&levels), Some(&repetitions))?;
            begin = end;
        }
        column.close()
    }

    fn write_errors<W: Write + Send>(&self, group: &mut SerializedRowGroupWriter<W>) -> ParquetResult<()> {
        let mut column = group.next_column()?.ok_or_else(|| too_many("columns"))?;
        for errors in self.errors.chunks(HANDFUL) {
            let levels: Vec<i16> = errors.iter().map(|error| i16::from(error.is_some())).collect();
            let values: Vec<ByteArray> = errors.iter().flatten().cloned().collect();
            column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
        }
        column.close()
    }
}
