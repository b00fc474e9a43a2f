//! Parquet: the columns come out as they went in, byte for byte, with the predictions' columns behind them.
//!
//! What is read, written, sharded and resumed is a row group: its text is read page by page, and its columns are
//! copied as they are packed. So memory grows with the row groups of a file, not with the file.
//!
//! Source: <https://parquet.apache.org/docs/file-format/>.

use std::path::Path;

use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use sha2::{Digest, Sha256};

use super::{Place, Raw};
use crate::error::{Error, Result};
use crate::panics;

mod column;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub(super) use column::{check_packing, find_text};
pub use reader::Reader;
pub use writer::{Found, RowGroups};

/// A row of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its number in the file, from 0.
    number: u64,
    /// The row group it ends, if it is the last one of one.
    ends: Option<usize>,
}

impl Row {
    /// The row group it ends, if it is the last one of one.
    pub fn ends(self) -> Option<usize> {
        self.ends
    }
}

impl Raw for Row {
    fn begin(&self) -> Place {
        place(self.number)
    }

    fn end(&self) -> Place {
        place(self.number + 1)
    }

    /// The file says what it is; a row is told from another by where it stands.
    fn fingerprint(&self, hash: &mut Sha256) {
        hash.update(self.number.to_le_bytes());
    }
}

/// A row takes one of the rows of a file, as a line takes some of its bytes.
fn place(row: u64) -> Place {
    Place { line: row + 1, byte: row }
}

/// What every Parquet file begins and ends with.
const MAGIC: &[u8] = b"PAR1";

/// Calls the library about the file `name`.
fn library<T>(name: &Path, call: impl FnOnce() -> ParquetResult<T>) -> Result<T> {
    guarded(call).map_err(|error| failure(name, error))
}

/// Calls the library, which expects files to be sound: some damage makes it panic.
pub(super) fn guarded<T>(call: impl FnOnce() -> ParquetResult<T>) -> ParquetResult<T> {
    let damaged = |_| Err(ParquetError::General("the Parquet file is damaged".into()));
    panics::caught(call).unwrap_or_else(damaged)
}

/// What an error says; of its kind the words are enough.
pub(super) fn words(error: &ParquetError) -> String {
    let text = error.to_string();
    if text.ends_with("Corrupt footer") {
        return "the Parquet file is cut off, or damaged at its end: copy it again".into();
    }
    text.split_once("error: ").map_or(text.as_str(), |(_, text)| text).to_owned()
}

fn failure(name: &Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => Error::io(name, *source),
            Err(source) => Error::Usage(format!("{}: {source}", name.display())),
        },
        error => Error::Usage(format!("{}: {}", name.display(), words(&error))),
    }
}

fn damaged(name: &Path, what: impl std::fmt::Display) -> Error {
    Error::Usage(format!("{}: the Parquet file is damaged: {what}", name.display()))
}

/// Checks that what the footer says can be: each column of each row group lies inside the file of `size` bytes.
fn check(name: &Path, size: u64, metadata: &ParquetMetaData) -> Result<()> {
    let columns = metadata.file_metadata().schema_descr().num_columns();
    // Of one without rows nothing is read, and some writers say nothing true of it.
    let read = metadata.row_groups().iter().enumerate().filter(|(_, group)| group.num_rows() != 0);
    for (number, group) in read {
        if !is_possible(group, columns, size) {
            return Err(damaged(name, format_args!("row group {number} does not lie inside it")));
        }
    }
    Ok(())
}

fn is_possible(group: &RowGroupMetaData, columns: usize, size: u64) -> bool {
    let inside = |begin: i64, length: i64| begin > 0 && length >= 0 && begin.saturating_add(length) as u64 <= size;
    group.num_rows() > 0
        && group.num_columns() == columns
        && group.columns().iter().all(|column| {
            let begin = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            column.data_page_offset() >= begin && inside(begin, column.compressed_size())
        })
}
