//! A file of a checkpoint, opened: what Git leaves in its place is told from it.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use crate::error::{Error, Result};

/// What a file begins with that Git leaves where Git LFS is to bring the content, and does not.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Opens a file of a checkpoint.
///
/// # Errors
/// It cannot be opened, or is only a pointer of Git LFS.
pub(super) fn open(path: &Path) -> Result<File> {
    let failed = |error| Error::io(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut start = Vec::new();
    file.by_ref().take(POINTER.len() as u64).read_to_end(&mut start).map_err(failed)?;
    if start == POINTER {
        return Err(Error::model(path, "a pointer of Git LFS, not the file itself: run `git lfs pull` in its folder"));
    }
    file.rewind().map_err(failed)?;
    Ok(file)
}

/// The text of a file of a checkpoint.
///
/// # Errors
/// As for [`open`], or it is no text.
pub(crate) fn read(path: &Path) -> Result<String> {
    io::read_to_string(open(path)?).map_err(|error| Error::io(path, error))
}
