//! Columns of text, and of lists of text, read some records at a time.

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type};
use parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::Result;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::RowGroupReader;
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};

/// A text or nothing.
pub(super) type Cell = Option<ByteArray>;

/// The column of this name, with dots where it is part of a structure; it must hold at most one text in each record.
pub(in crate::records) fn find_text(schema: &SchemaDescriptor, name: &str) -> std::result::Result<usize, String> {
    let columns = schema.columns();
    let Some(found) = columns.iter().position(|column| column.path().string() == name) else {
        let columns: Vec<_> = columns.iter().map(|column| column.path().string()).collect();
        return Err(format!("no column {name:?} in the schema ({}): give --text-field", columns.join(", ")));
    };
    if !is_text(&columns[found]) {
        let kind = columns[found].physical_type();
        return Err(format!("column {name:?} holds {kind}, not text: give --text-field"));
    }
    Ok(found)
}

/// Whether there is at most one text in each record; what is not said to be text may yet be.
fn is_text(column: &ColumnDescPtr) -> bool {
    let is_number = column.converted_type() == ConvertedType::DECIMAL;
    column.physical_type() == Type::BYTE_ARRAY && column.max_rep_level() == 0 && !is_number
}

/// Checks that columns can be unpacked.
pub(in crate::records) fn check_packing(
    metadata: &ParquetMetaData,
    mut columns: impl Iterator<Item = usize>,
) -> std::result::Result<(), String> {
    columns.find_map(|column| unknown_packing(metadata, column)).map_or(Ok(()), |packing| {
        Err(format!("compressed with {packing}, which this program does not read: write it with zstd or snappy"))
    })
}

/// How a column is packed in some row group, where it cannot be unpacked.
fn unknown_packing(metadata: &ParquetMetaData, column: usize) -> Option<&'static str> {
    metadata.row_groups().iter().find_map(|group| match group.column(column).compression() {
        Compression::BROTLI(_) => Some("brotli"),
        Compression::LZO => Some("LZO"),
        _ => None,
    })
}

/// The column of a field of this name that holds lists of texts.
///
/// # Errors
/// It holds one text in each record, which may be a label, or several in a form of its own.
pub(super) fn find_list(schema: &SchemaDescriptor, name: &str) -> std::result::Result<Option<usize>, String> {
    let mut of_field = (0..schema.num_columns()).filter(|&column| schema.get_column_root(column).name() == name);
    let (Some(column), None) = (of_field.next(), of_field.next()) else { return Ok(None) };
    let description = schema.column(column);
    let is_text = description.converted_type() == ConvertedType::UTF8
        || description.logical_type_ref().is_some_and(|kind| *kind == LogicalType::String);
    // Field, repeated group and text; the form of older writers has the text itself repeated.
    let depth = description.path().parts().len();
    if is_text && depth == 1 && description.max_rep_level() == 0 {
        return Err(format!(
            "column {name:?} holds texts, where a record's own labels are lists of texts: write lists, or rename it"
        ));
    }
    Ok((description.max_rep_level() == 1 && is_text && depth <= 3).then_some(column))
}

/// A column of one row group as it is read.
pub(super) struct Column {
    reader: ColumnReaderImpl<ByteArrayType>,
    /// The definition level of a text that is there.
    there: i16,
    /// Whether a text of a list can be missing.
    has_gaps: bool,
}

impl Column {
    pub(super) fn new(group: &dyn RowGroupReader, column: usize) -> Result<Self> {
        let description = group.metadata().column(column).column_descr_ptr();
        Ok(Self {
            reader: get_typed_column_reader(group.get_column_reader(column)?),
            there: description.max_def_level(),
            has_gaps: description.self_type().get_basic_info().repetition() == Repetition::OPTIONAL,
        })
    }

    /// The texts of the next `count` records; of fewer, where the row group ends.
    pub(super) fn texts(&mut self, count: usize) -> Result<Vec<Cell>> {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let (records, ..) = self.reader.read_records(count, Some(&mut levels), None, &mut values)?;
        let mut values = values.into_iter();
        if self.there == 0 {
            return Ok(values.map(Some).collect());
        }
        debug_assert_eq!(levels.len(), records);
        Ok(levels.into_iter().map(|level| if level == self.there { values.next() } else { None }).collect())
    }

    /// The lists of the next `count` records; of fewer, where the row group ends.
    pub(super) fn lists(&mut self, count: usize) -> Result<Vec<Option<Vec<Cell>>>> {
        let (mut levels, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
        self.reader.read_records(count, Some(&mut levels), Some(&mut repetitions), &mut values)?;
        let mut values = values.into_iter();
        let in_list = self.there - i16::from(self.has_gaps);
        let mut lists = Vec::with_capacity(count);
        for (level, repetition) in levels.into_iter().zip(repetitions) {
            if repetition == 0 {
                // One level below that of its texts a list is there, and empty.
                lists.push((level + 1 >= in_list).then(Vec::new));
            }
            if let Some(Some(list)) = lists.last_mut()
                && level >= in_list
            {
                list.push(if level == self.there { values.next() } else { None });
            }
        }
        Ok(lists)
    }
}
