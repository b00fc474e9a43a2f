//! Files that take the place of others in one step, which survives a loss of power.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::beside;

/// What the name of a file ends in that is to replace another.
const NEW: &str = ".new";

/// Replaces a file in one step that survives a loss of power.
///
/// # Errors
/// It cannot be written: the old file is still there, or the new one is whole, but perhaps not on the disk.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with(path, |new| fs::write(new, content))
}

/// The same for a content that `write` brings into the empty file it is given, which lies in the same folder.
///
/// # Errors
/// It cannot be written: the old file is still there, or the new one is whole, but perhaps not on the disk.
pub fn replace_with(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let (new, _) = &create_new(path)?;
    write(new).and_then(|()| rename(new, path)).inspect_err(|_| drop(fs::remove_file(new)))
}

/// Gives a file that has been written its name, in one step that survives a loss of power: what has the name is whole.
///
/// # Errors
/// It cannot be brought to the disk, or not be renamed; in the first case it may have the name already.
pub fn rename(new: &Path, path: &Path) -> io::Result<()> {
    File::options().write(true).open(new)?.sync_all()?;
    fs::rename(new, path)?;
    // Elsewhere a folder cannot be opened, and a rename is on the disk at once.
    #[cfg(unix)]
    sync_folder(folder_of(path))?;
    Ok(())
}

/// Brings what was done in a folder to the disk, where that can be asked for: one that may be written in need not be
/// readable, and some file systems cannot sync one. What was done in it is done all the same.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if is_of_disk(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether an error says that the disk may lose what it was given.
#[cfg(unix)]
fn is_of_disk(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};

    /// It has no kind, and this number on every Unix.
    const EIO: i32 = 5;
    error.raw_os_error() == Some(EIO) || matches!(error.kind(), QuotaExceeded | StorageFull)
}

/// Makes the file in which `path` is written anew: none that is there, be it of the user or of another process, on this
/// machine or another, that replaces the same file at the same time.
///
/// # Errors
/// It cannot be made.
pub fn create_new(path: &Path) -> io::Result<(PathBuf, File)> {
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let new = beside(path, &format!(".{}-{now}{NEW}", std::process::id()));
        match File::create_new(&new) {
            // Some clocks are slower than two threads.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (new, file)),
        }
    }
}

/// Takes away what runs that were killed while they replaced `path` have left: for those that nobody else replaces it
/// beside. What cannot be taken away stays.
pub fn sweep(path: &Path) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    for entry in fs::read_dir(folder_of(path)).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|left| is_new_of(left, name)) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Whether [`create_new`] makes files of this name for one called `name`.
fn is_new_of(left: &str, name: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    let numbers = left.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')?.strip_suffix(NEW)?.split_once('-'));
    numbers.is_some_and(|(process, time)| is_number(process) && is_number(time))
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_a_file_stays_when_that_is_replaced_and_the_old_one_where_it_cannot_be() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["t.json", "t.json.new"].map(|name| folder.path().join(name));
        fs::write(&other, "precious").unwrap();
        replace(&path, b"one").unwrap();
        let full = |new: &Path| fs::write(new, "tw").and_then(|()| Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(replace_with(&path, full).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!([&path, &other].map(|path| fs::read_to_string(path).unwrap()), ["one", "precious"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn what_lies_in_a_folder_that_cannot_be_opened_or_synced_is_replaced_all_the_same() {
        use std::os::unix::fs::PermissionsExt;

        let allow = |folder: &Path, mode| fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.resume");
        allow(folder.path(), 0o300);
        let replaced = ["one", "two"].map(|content| replace(&path, content.as_bytes()));
        allow(folder.path(), 0o700);
        replaced.into_iter().for_each(|replaced| replaced.unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        // These can be opened, and are on no disk.
        for folder in ["/proc", "/sys"] {
            sync_folder(Path::new(folder)).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn of_a_folder_only_an_error_of_the_disk_counts() {
        let [eperm, eio, ebadf, eacces, einval, enospc] = [1, 5, 9, 13, 22, 28].map(io::Error::from_raw_os_error);
        assert!([eio, enospc].iter().all(is_of_disk));
        assert!(![eperm, ebadf, eacces, einval].iter().any(is_of_disk));
    }

    #[test]
    fn what_a_killed_run_left_is_swept_away_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.resume");
        let (left, _) = create_new(&path).unwrap();
        let others = ["", ".new", ".1.new", ".1-.new", ".1-b.new", ".1-2", ".1-2.news", "2.1-2.new"]
            .map(|ending| beside(&path, ending));
        others.iter().for_each(|other| fs::write(other, "mine").unwrap());
        sweep(&path);
        assert!(!left.exists());
        assert!(others.iter().all(|other| other.exists()), "{others:?}");
    }
}
