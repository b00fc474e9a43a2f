//! Files that the program keeps beside those of the user.

use std::borrow::Cow;
use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Seek, Write};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use same_file::Handle;

use crate::error::{Error, Result};

/// The least time from one state of a run to the next: what a crash may cost.
const INTERVAL: Duration = Duration::from_millis(500);

/// A slow disk is asked less often: saving takes at most one part in so many of the time.
const LEAST_SHARE: u32 = 50;

/// What the name of a file ends in that is to replace another.
const NEW: &str = ".new";

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

/// Keeps other runs from an output as long as it lives, by a file beside it.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// Locked until it is closed, however the program ends.
    _file: File,
}

impl Lock {
    /// Locks `output`, which need not be there yet; none where another run has locked it.
    ///
    /// # Errors
    /// The file beside it cannot be made.
    pub fn of(output: &Path) -> io::Result<Option<Self>> {
        // A name of its own: many programs keep a NAME.lock, which would be taken away with the lock.
        let path = beside(output, ".gliclass-lock");
        loop {
            let file = File::options().write(true).create(true).truncate(false).open(&path)?;
            if let Err(TryLockError::WouldBlock) = file.try_lock() {
                return Ok(None);
            }
            // The run before may have taken the file away after it was opened here; then it keeps nobody out.
            let mine = Handle::from_file(file.try_clone()?)?;
            if Handle::from_path(&path).is_ok_and(|there| there == mine) {
                return Ok(Some(Self { path, _file: file }));
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

/// Replaces a file in one step that survives a loss of power.
///
/// # Errors
/// It cannot be written; the old file is still there.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with(path, |new| fs::write(new, content))
}

/// The same for a content that `write` brings into the empty file it is given, which lies in the same folder.
///
/// # Errors
/// It cannot be written; the old file is still there.
pub fn replace_with(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let (new, _) = &create_new(path)?;
    write(new).and_then(|()| rename(new, path)).inspect_err(|_| drop(fs::remove_file(new)))
}

/// Gives a file that has been written its name, in one step that survives a loss of power: what has the name is whole.
///
/// # Errors
/// It cannot be brought to the disk, or not be renamed.
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
fn create_new(path: &Path) -> io::Result<(PathBuf, File)> {
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

/// How often the state of a run is saved.
#[derive(Debug)]
pub struct Pace {
    saved: Instant,
    pause: Duration,
}

impl Pace {
    /// Begins now.
    pub fn begin() -> Self {
        Self { saved: Instant::now(), pause: INTERVAL }
    }

    /// Whether it is time to save.
    pub fn is_due(&self) -> bool {
        self.saved.elapsed() >= self.pause
    }

    /// The state was saved, which began at `start`.
    pub fn saved(&mut self, start: Instant) {
        self.saved = Instant::now();
        self.pause = INTERVAL.max(LEAST_SHARE * start.elapsed());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_a_folder_has_its_name_however_it_is_written() {
        for name in ["out/mine", "out/mine/", "out//mine//"] {
            assert_eq!(beside(Path::new(name), ".resume").file_name().unwrap(), "mine.resume", "{name}");
        }
    }

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

    #[test]
    fn one_run_at_a_time_has_the_lock_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("mine");
        let first = Lock::of(&output).unwrap().unwrap();
        assert!(Lock::of(&output).unwrap().is_none());
        drop(first);
        assert!(Lock::of(&output).unwrap().is_some());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_lock_that_another_program_keeps_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("uv.lock");
        fs::write(&theirs, "").unwrap();
        drop(Lock::of(&folder.path().join("uv")).unwrap().unwrap());
        assert!(theirs.exists());
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
