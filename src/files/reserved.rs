//! A file that is opened before any work, and gets its content at the end.

use std::fs::{self, File, Metadata};
use std::io::{self, Seek, Write};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::open_file;
use super::replace::{create_new, rename};
use crate::error::{Error, Result};

/// A file that is made, and taken away again unless it is kept.
#[derive(Debug)]
struct Made(Option<PathBuf>);

impl Made {
    fn keep(&mut self) {
        self.0 = None;
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            drop(fs::remove_file(path));
        }
    }
}

/// A file that is opened before any work, so that none is lost, and still as it was. One that was not there before is
/// taken away again where nothing came to be written.
#[derive(Debug)]
pub struct Reserved {
    path: PathBuf,
    file: File,
    made: Made,
}

impl Reserved {
    /// Opens the file; what is in it stays for now.
    ///
    /// # Errors
    /// It cannot be opened for writing.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, is_new) = open_file(path)?;
        Ok(Self::of(path, file, is_new))
    }

    /// A file that [`open_file`] opened.
    pub fn of(path: &Path, file: File, is_new: bool) -> Self {
        Self { path: path.to_owned(), file, made: Made(is_new.then(|| path.to_owned())) }
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The file, which stays from now on.
    pub fn keep(mut self) -> File {
        self.made.keep();
        self.file
    }

    /// Writes the whole of its content, as a [`Successor`] does.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(self, content: &[u8]) -> Result<()> {
        let path = self.path.clone();
        let put = || {
            let new = self.replace()?;
            new.file().write_all(content)?;
            new.finish()
        };
        put().map_err(|error| Error::io(path, error))
    }

    /// Begins the file that is to take its place.
    ///
    /// # Errors
    /// That cannot be made.
    pub fn replace(self) -> io::Result<Successor> {
        let metadata = self.file.metadata()?;
        // A device or a pipe is no file that could be replaced.
        let new = if metadata.is_file() { Beside::begin(&self.path, &metadata)? } else { None };
        if metadata.is_file() && new.is_none() {
            self.file.set_len(0)?;
        }
        Ok(Successor { old: self, new, is_whole: false })
    }
}

/// A file that is written beside the one whose place it takes, in one step once it is whole: a full disk, or a run that
/// ends before, leaves that one as it was. Where no other file can take its place it is written where it is, and emptied
/// if it does not become whole: a part would be taken for it.
#[derive(Debug)]
pub struct Successor {
    old: Reserved,
    new: Option<Beside>,
    is_whole: bool,
}

impl Successor {
    /// What is to be written to.
    pub fn file(&self) -> &File {
        self.new.as_ref().map_or(&self.old.file, |new| &new.file)
    }

    /// Ends it: it is whole, and takes its place.
    ///
    /// # Errors
    /// It cannot be brought to the disk.
    pub fn finish(mut self) -> io::Result<()> {
        match self.new.as_mut().map_or(Ok(()), Beside::take_place) {
            Err(error) if is_denied(&error) => self.write_over()?,
            placed => placed?,
        }
        self.is_whole = true;
        self.old.made.keep();
        Ok(())
    }

    /// Writes what stands beside the old file into it.
    fn write_over(&mut self) -> io::Result<()> {
        let Some(mut new) = self.new.take() else { return Ok(()) };
        new.file.rewind()?;
        self.old.file.set_len(0)?;
        io::copy(&mut new.file, &mut self.old.file).map(drop)
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if self.new.is_none() && !self.is_whole {
            // What cannot be cut is none that somebody comes back to.
            drop(self.old.file.set_len(0));
        }
    }
}

/// What is written beside a file.
#[derive(Debug)]
struct Beside {
    /// The place of the file: a link to it stays one.
    place: PathBuf,
    path: PathBuf,
    file: File,
    made: Made,
}

impl Beside {
    /// Makes it, with the owner and the permissions of the file at `path`. None where it cannot take the place of that.
    fn begin(path: &Path, old: &Metadata) -> io::Result<Option<Self>> {
        if !is_replaceable(path, old) {
            return Ok(None);
        }
        let place = fs::canonicalize(path)?;
        let begin = || {
            let (path, file) = create_new(&place)?;
            let made = Made(Some(path.clone()));
            give_to_owner(&file, old)?;
            file.set_permissions(old.permissions())?;
            Ok((path, file, made))
        };
        match begin() {
            Err(error) if is_denied(&error) => Ok(None),
            begun => begun.map(|(path, file, made)| Some(Self { place, path, file, made })),
        }
    }

    fn take_place(&mut self) -> io::Result<()> {
        rename(&self.path, &self.place)?;
        self.made.keep();
        Ok(())
    }
}

/// Whether nobody would be left with the old file: who knows it by another name, or holds it open below `/dev/fd`.
#[cfg(unix)]
fn is_replaceable(path: &Path, old: &Metadata) -> bool {
    old.nlink() == 1 && !["/dev", "/proc"].iter().any(|folder| path.starts_with(folder))
}

#[cfg(not(unix))]
fn is_replaceable(_: &Path, _: &Metadata) -> bool {
    true
}

/// Gives a new file to the owner and the group of another, where they are not the same already.
#[cfg(unix)]
fn give_to_owner(new: &File, old: &Metadata) -> io::Result<()> {
    let made = new.metadata()?;
    let is_same = (made.uid(), made.gid()) == (old.uid(), old.gid());
    if is_same { Ok(()) } else { std::os::unix::fs::fchown(new, Some(old.uid()), Some(old.gid())) }
}

#[cfg(not(unix))]
fn give_to_owner(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Whether a folder lets no file be made, or one not be replaced that can be written where it is.
fn is_denied(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};

    matches!(error.kind(), InvalidFilename | PermissionDenied | ReadOnlyFilesystem | ResourceBusy)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_that_has_two_names_keeps_both_and_one_of_a_long_name_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other, long] = ["one", "other", &"n".repeat(250)].map(|name| folder.path().join(name));
        fs::write(&one, "before").unwrap();
        fs::hard_link(&one, &other).unwrap();
        for (path, read) in [(&one, &other), (&long, &long)] {
            Reserved::open(path).unwrap().write(b"after").unwrap();
            assert_eq!(fs::read_to_string(read).unwrap(), "after");
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    }

    #[test]
    #[cfg(unix)]
    fn what_was_there_is_replaced_at_once_by_what_may_be_read_as_it_was() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        let [old, link] = ["old", "link"].map(|name| folder.path().join(name));
        fs::write(&old, "old").unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o604)).unwrap();
        symlink("old", &link).unwrap();
        Reserved::open(&link).unwrap().write(b"new").unwrap();
        assert_eq!(fs::read(&old).unwrap(), b"new");
        assert_eq!(fs::metadata(&old).unwrap().permissions().mode() & 0o777, 0o604);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_does_not_become_whole_takes_no_place() {
        let folder = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
        fs::write(&old, "old").unwrap();
        for path in [&old, &new] {
            let part = Reserved::open(path).unwrap().replace().unwrap();
            part.file().write_all(b"pa").unwrap();
            assert_eq!(fs::read_dir(&folder).unwrap().count(), if path == &old { 2 } else { 3 });
            drop(part);
        }
        assert_eq!(fs::read(&old).unwrap(), b"old");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn where_no_file_can_take_its_place_the_old_one_is_written_over_and_a_part_is_not_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old");
        fs::write(&path, "a longer one").unwrap();
        let mut whole = Reserved::open(&path).unwrap().replace().unwrap();
        whole.file().write_all(b"new").unwrap();
        whole.write_over().unwrap();
        whole.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let mut part = Reserved::open(&path).unwrap().replace().unwrap();
        part.file().write_all(b"pa").unwrap();
        part.write_over().unwrap();
        drop(part);
        assert_eq!(fs::read(&path).unwrap(), b"");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }
}
