//! Files and folders: what is asked of them, and how they are made, replaced and locked.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use same_file::Handle;

use crate::error::{Error, Result};

mod lock;
mod pace;
mod replace;
mod reserved;

pub use lock::Lock;
pub use pace::Pace;
pub use replace::{create_new, rename, replace, replace_with, sweep};
pub use reserved::{Reserved, Successor};

/// The file beside `path` that has its name and `ending` behind it. A separator at the end, as shells complete the
/// names of folders, is no part of the name.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    // `.` and `..` are no names: what they mean has one.
    let meant = if path.file_name().is_none() { fs::canonicalize(path).ok() } else { None };
    let mut name = meant.as_deref().unwrap_or(path).components().as_path().as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The name of a file without its folders, which are nobody's business whom a page or a model is sent to.
pub fn file_name(path: &Path) -> Cow<'_, str> {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()
}

/// Whether what is written to the one would be lost in the other, or the other in it: both are one file, there already
/// or not. Devices and pipes keep nothing that could be lost.
pub fn is_same(one: &Path, other: &Path) -> bool {
    match fs::metadata(one) {
        Ok(metadata) => metadata.is_file() && same_file::is_same_file(one, other).unwrap_or(false),
        Err(_) => std::path::absolute(one).is_ok_and(|one| std::path::absolute(other).is_ok_and(|other| one == other)),
    }
}

/// Standard output, where it is a file: what is written there stays, and can be read again.
pub fn standard_output() -> Option<Handle> {
    Handle::stdout().ok().filter(|handle| handle.as_file().metadata().is_ok_and(|metadata| metadata.is_file()))
}

/// Whether this is the file that standard output goes to.
pub fn is_standard_output(path: &Path) -> bool {
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    is_file && standard_output().is_some_and(|output| Handle::from_path(path).is_ok_and(|file| file == output))
}

/// Whether a path leads from a folder to what is below it, on every system.
pub fn is_below(path: &str) -> bool {
    let harmless = |part: &str| !matches!(part, "" | "." | "..");
    path.split('/').all(harmless) && !path.contains(|c: char| c.is_control() || matches!(c, '\\' | ':'))
}

/// Makes a folder and those that it lies in, where they are not there.
///
/// # Errors
/// What has its name, or that of one that it lies in, is no folder; or it cannot be made.
pub fn make_folder(path: &Path) -> Result<()> {
    // A link that leads nowhere is there, too.
    let there = path.ancestors().find(|above| above.symlink_metadata().is_ok());
    match there.filter(|there| !there.is_dir()) {
        Some(file) => {
            let file = file.display();
            Err(Error::Usage(format!("{file}: is no folder, where one is needed: choose another name")))
        }
        None => fs::create_dir_all(path).map_err(|error| Error::io(path, error)),
    }
}

/// Opens a file that the user names, to be read.
///
/// # Errors
/// It is not there, or cannot be opened.
pub fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => missing(path),
        _ => Error::io(path, error),
    })
}

/// What is said of a file that is not there: where it was looked for, which a relative name does not say.
fn missing(path: &Path) -> Error {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = whole.parent().unwrap_or(&whole);
    let what = if folder.is_dir() { "such file in" } else { "folder" };
    Error::Usage(format!("{}: there is no {what} {}: check the name", path.display(), folder.display()))
}

/// Opens a file to be written, and says whether it was made for that: one that is there is left as it is.
///
/// # Errors
/// The folder for it is not there, it is a folder itself, or it cannot be opened.
pub fn open_file(path: &Path) -> Result<(File, bool)> {
    if let Ok(file) = File::options().write(true).create_new(true).open(path) {
        return Ok((file, true));
    }
    let opened = File::options().write(true).create(true).truncate(false).open(path);
    opened.map(|file| (file, false)).map_err(|error| {
        if path.is_dir() {
            return Error::Usage(format!("{}: is a folder: name a file in it", path.display()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        match folder.filter(|_| error.kind() == io::ErrorKind::NotFound) {
            Some(folder) => {
                let (path, folder) = (path.display(), folder.display());
                Error::Usage(format!("{path}: the folder {folder} does not exist: make it first"))
            }
            None => Error::io(path, error),
        }
    })
}

/// Removes a file that may be there.
///
/// # Errors
/// It is there and cannot be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The file beside the output of a run that says how far it came.
pub fn state_of(output: &Path) -> PathBuf {
    beside(output, ".resume")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_told_with_where_it_was_looked_for() {
        let here = std::env::current_dir().unwrap();
        let said = |path: &str| open(Path::new(path)).unwrap_err().to_string();
        let expected = format!("none.jsonl: there is no such file in {}: check the name", here.display());
        assert_eq!(said("none.jsonl"), expected);
        let expected = format!("none/in.jsonl: there is no folder {}: check the name", here.join("none").display());
        assert_eq!(said("none/in.jsonl"), expected);
    }

    #[test]
    fn what_lies_beside_a_folder_has_its_name_however_it_is_written() {
        for name in ["out/mine", "out/mine/", "out//mine//"] {
            assert_eq!(beside(Path::new(name), ".resume").file_name().unwrap(), "mine.resume", "{name}");
        }
    }

    #[test]
    fn what_lies_beside_a_folder_without_a_name_is_not_in_it() {
        let here = fs::canonicalize(".").unwrap();
        for path in [".", "./", "./."] {
            assert_eq!(beside(Path::new(path), ".lock"), beside(&here, ".lock"), "{path}");
        }
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        fs::create_dir(&below).unwrap();
        let expected = beside(&fs::canonicalize(&folder).unwrap(), ".lock");
        assert_eq!(beside(&below.join(".."), ".lock"), expected);
    }

    #[test]
    fn paths_that_lead_elsewhere_are_not_below() {
        for path in ["label_model", "label model", "owner/name", "a/b/c.json", "..a"] {
            assert!(is_below(path), "{path:?}");
        }
        for path in ["", ".", "./x", "../x", "/etc/passwd", "a//b", "a/../b", "c:\\x", "a\\b", "a\0"] {
            assert!(!is_below(path), "{path:?}");
        }
    }

    #[test]
    fn what_is_in_the_way_of_a_folder_or_of_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below/it")] {
            let error = make_folder(&path).unwrap_err().to_string();
            assert!(error.ends_with("/file: is no folder, where one is needed: choose another name"), "{error}");
        }
        let deep = folder.path().join("a/b");
        make_folder(&deep).and_then(|()| make_folder(&deep)).unwrap();
        let error = open_file(&deep).unwrap_err().to_string();
        assert!(error.ends_with("/b: is a folder: name a file in it"), "{error}");
    }

    #[test]
    fn a_file_is_the_same_by_any_name_and_a_device_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        let again = folder.path().join(".").join("one");
        assert!(is_same(&one, &again) && !is_same(&one, &other));
        fs::write(&one, "").unwrap();
        assert!(is_same(&one, &again) && !is_same(&one, &other));
        assert!(!is_same(folder.path(), folder.path()));
    }
}
