//! Where records go: whole records only, so that a file is right at every moment and a cut never splits one.
//!
//! A packed output is a row of gzip members or Zstandard frames. They end where the content says, never where
//! the clock does: a run that was interrupted and resumed writes the same bytes as one that was not.

use std::fs::{self, File, TryLockError};
use std::io::{self, IsTerminal, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use same_file::Handle;

use super::input::{Input, Packing, refuse_foreign_ending};
use crate::display;
use crate::error::{Error, Result, STANDARD_OUTPUT};
use crate::files::{Reserved, Successor, open_file, standard_output, sweep};

/// Bytes of whole records that are written, or packed, at once. More would pack a little better, but it is
/// also what is computed again where a run with a packed output is resumed.
const BLOCK: usize = 1 << 17;

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It is refused, unless it is empty; with what can be done instead.
    Refuse(&'static str),
    /// It is overwritten.
    Replace,
    /// It is gone on with.
    Continue,
}

/// An output that is open and locked, and still as it was. A file that was made for it is taken away again where
/// nothing is begun.
pub struct Output {
    file: Option<Reserved>,
    name: PathBuf,
    packing: Option<Packing>,
}

impl Output {
    /// Opens a file; standard output without a name or with `-`.
    ///
    /// # Errors
    /// The file cannot be opened, is the input too, is there already, or another run writes to it; or its name ends as
    /// if it were packed in a way that is not known here.
    pub fn open(path: Option<&Path>, existing: Existing, input: &Input) -> Result<Self> {
        match path.filter(|path| path.as_os_str() != "-") {
            Some(path) => refuse_foreign_ending(path).and_then(|()| Self::open_file(path, existing, input)),
            None => Self::open_standard(input),
        }
    }

    fn open_standard(input: &Input) -> Result<Self> {
        refuse_input(|file| input.is(file))?;
        Ok(Self { file: None, name: STANDARD_OUTPUT.into(), packing: None })
    }

    fn open_file(path: &Path, existing: Existing, input: &Input) -> Result<Self> {
        let (file, is_new) = open_file(path)?;
        let metadata = file.metadata().map_err(|error| Error::io(path, error))?;
        if metadata.is_file() {
            let handle = file.try_clone().and_then(Handle::from_file).map_err(|error| Error::io(path, error))?;
            if input.is(&handle) {
                return Err(also_input(path));
            }
            // Where the file system knows no locks, there is nobody to ask.
            if let Err(TryLockError::WouldBlock) = file.try_lock() {
                return Err(refused(path, "another run is writing to it"));
            }
            if is_gone(path, &handle) {
                return Self::open_file(path, existing, input);
            }
            if let Existing::Refuse(way_out) = existing
                && metadata.len() > 0
            {
                return Err(refused(path, &format!("already exists: {way_out}")));
            }
        }
        let file = Some(Reserved::of(path, file, is_new));
        Ok(Self { file, name: path.to_owned(), packing: Packing::of(path) })
    }

    /// The file, where it is one that can be cut.
    pub fn file(&self) -> Option<&Path> {
        let is_file = |file: &Reserved| file.file().metadata().is_ok_and(|metadata| metadata.is_file());
        self.file.as_ref().is_some_and(is_file).then_some(&self.name)
    }

    /// Whether it is shown to somebody as it is written.
    pub fn is_on_terminal(&self) -> bool {
        self.file.is_none() && io::stdout().is_terminal()
    }

    /// Its size, where it is a file that can be cut.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn size(&self) -> Result<Option<u64>> {
        let Some(file) = &self.file else { return Ok(None) };
        let metadata = file.file().metadata().map_err(|error| Error::io(&self.name, error))?;
        Ok(metadata.is_file().then_some(metadata.len()))
    }

    /// Cuts a file to its first `size` bytes, and goes on there.
    ///
    /// # Errors
    /// The file cannot be cut.
    pub fn begin(self, size: u64) -> Result<Sheet> {
        let is_file = self.size()?.is_some();
        let Self { file, name, packing } = self;
        let target = match file {
            None => Target::Standard(display::stdout()),
            Some(file) if !is_file => Target::Device(file.keep()),
            Some(file) => {
                cut(file.file(), size).map_err(|error| Error::io(&name, error))?;
                Target::File(file.keep())
            }
        };
        Ok(Sheet::new(target, name, packing, size))
    }

    /// Begins a file that takes the place of the one that is there with [`Sheet::take_place`], and never where that is
    /// not called. What is no file is begun as ever.
    ///
    /// # Errors
    /// The new file cannot be made.
    pub fn begin_anew(self) -> Result<Sheet> {
        match (self.size()?, self) {
            (Some(_), Self { file: Some(file), name, packing }) => {
                // It is locked: nobody else writes beside it.
                fs::canonicalize(&name).iter().for_each(|place| sweep(place));
                let new = file.replace().map_err(|error| Error::io(&name, error))?;
                Ok(Sheet::new(Target::New(new), name, packing, 0))
            }
            (_, output) => output.begin(0),
        }
    }

    /// Leaves the file as it is, also where it was made: nothing is all that belongs in it.
    pub fn keep(self) {
        drop(self.file.map(Reserved::keep));
    }
}

/// Refuses standard output where it is the file that is read, as `is_input` says: what is appended to its own input, a
/// run would read for ever.
///
/// # Errors
/// It is.
pub fn refuse_input(is_input: impl Fn(&Handle) -> bool) -> Result<()> {
    match standard_output() {
        Some(file) if is_input(&file) => Err(also_input(Path::new(STANDARD_OUTPUT))),
        _ => Ok(()),
    }
}

fn refused(name: &Path, what: &str) -> Error {
    Error::Usage(format!("{}: {what}", name.display()))
}

fn also_input(name: &Path) -> Error {
    refused(name, "is also the input: write to another file")
}

/// Whether the run before took the file away after it was opened here: what is written to it would be lost.
fn is_gone(path: &Path, opened: &Handle) -> bool {
    match Handle::from_path(path) {
        Ok(there) => there != *opened,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn cut(mut file: &File, size: u64) -> io::Result<()> {
    file.set_len(size)?;
    file.seek(SeekFrom::Start(size)).map(drop)
}

enum Target {
    File(File),
    New(Successor),
    /// A device or a pipe that has a name.
    Device(File),
    Standard(Box<dyn Write>),
}

impl Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) | Self::Device(file) => file.write_all(bytes),
            Self::New(new) => new.file().write_all(bytes),
            Self::Standard(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// The file, where it is one that can be cut.
    fn file(&self) -> Option<&File> {
        match self {
            Self::File(file) => Some(file),
            Self::New(new) => Some(new.file()),
            Self::Device(_) | Self::Standard(_) => None,
        }
    }

    /// What the system said where it was written to, by this name.
    fn error(&self, name: &Path, source: io::Error) -> Error {
        match self {
            Self::Standard(_) => Error::output(source),
            Self::File(_) | Self::New(_) | Self::Device(_) => Error::io(name, source),
        }
    }
}

/// The output as it is written.
pub struct Sheet {
    target: Target,
    name: PathBuf,
    packing: Option<Packing>,
    /// Whole records that are not written yet.
    pending: Vec<u8>,
    /// The size of the file; it ends with a whole record.
    written: u64,
    /// Records were lost: nothing more can be said of what is written.
    failed: bool,
}

impl Sheet {
    /// Nothing is written yet behind the first `written` bytes.
    fn new(target: Target, name: PathBuf, packing: Option<Packing>, written: u64) -> Self {
        Self { target, name, packing, pending: Vec::new(), written, failed: false }
    }

    /// Writes one record: what `fill` appends.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, fill: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        fill(&mut self.pending);
        if self.pending.len() < BLOCK { Ok(()) } else { self.put() }
    }

    /// Shows what was written so far, where that does not change what the file will be: not if it is packed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        if self.packing.is_none() { self.put() } else { Ok(()) }
    }

    /// Writes all there is; a packed file is whole then: an archive of nothing is not an empty file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(&mut self) -> Result<()> {
        if self.packing.is_some() && self.written == 0 && !self.failed { self.put_block() } else { self.put() }
    }

    /// Gives what was begun anew, and is finished, the place of the file that is there.
    ///
    /// # Errors
    /// It cannot be brought to the disk.
    pub fn take_place(self) -> Result<()> {
        match self.target {
            Target::New(new) => new.finish().map_err(|error| Error::io(&self.name, error)),
            Target::File(_) | Target::Device(_) | Target::Standard(_) => Ok(()),
        }
    }

    /// Flushes, and says how large the file is if it holds every record now: not in the middle of a packed
    /// block, and never again after an error.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn settle(&mut self) -> Result<Option<u64>> {
        self.flush()?;
        Ok(self.whole())
    }

    /// How large the file is if it holds every record now, without writing anything.
    pub fn whole(&self) -> Option<u64> {
        (self.pending.is_empty() && !self.failed).then_some(self.written)
    }

    /// Whether records were lost: nothing more belongs behind them.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Waits until all that was written would survive a loss of power.
    ///
    /// # Errors
    /// The disk failed.
    pub fn sync(&self) -> Result<()> {
        let Some(file) = self.target.file() else { return Ok(()) };
        file.sync_data().map_err(|error| Error::io(&self.name, error))
    }

    fn put(&mut self) -> Result<()> {
        if self.pending.is_empty() { Ok(()) } else { self.put_block() }
    }

    fn put_block(&mut self) -> Result<()> {
        let result = match self.packing {
            None => self.target.write(&self.pending).map(|()| self.pending.len()),
            Some(packing) => {
                pack(packing, &self.pending).and_then(|block| self.target.write(&block).map(|()| block.len()))
            }
        };
        self.pending.clear();
        match result {
            Ok(size) => self.written += size as u64,
            Err(error) => {
                self.failed = true;
                // A full disk takes a part of a record: none is left behind. The first error is the one to tell.
                if let Some(file) = self.target.file() {
                    drop(cut(file, self.written));
                }
                return Err(self.target.error(&self.name, error));
            }
        }
        Ok(())
    }
}

fn pack(packing: Packing, content: &[u8]) -> io::Result<Vec<u8>> {
    match packing {
        Packing::Gzip => {
            let mut encoder = GzEncoder::new(Vec::with_capacity(content.len() / 4), Compression::default());
            encoder.write_all(content)?;
            encoder.finish()
        }
        Packing::Zstd => zstd::bulk::compress(content, zstd::DEFAULT_COMPRESSION_LEVEL),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            std::fs::write(folder.path("in.jsonl"), "{}\n").unwrap();
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn open(&self, name: &str, existing: Existing) -> Result<Output> {
            let input = Input::open(Some(&self.path("in.jsonl"))).unwrap();
            Output::open(Some(&self.path(name)), existing, &input)
        }
    }

    #[test]
    fn what_is_there_is_refused_unless_it_is_empty_or_given_up() {
        let folder = Folder::new();
        std::fs::write(folder.path("empty"), "").unwrap();
        assert!(folder.open("empty", Existing::Refuse("")).is_ok());
        std::fs::write(folder.path("full"), "precious").unwrap();
        let error = folder.open("full", Existing::Refuse("a way out")).err().unwrap();
        assert!(error.to_string().ends_with("already exists: a way out"), "{error}");
        let output = folder.open("full", Existing::Replace).unwrap();
        assert_eq!(std::fs::read(folder.path("full")).unwrap(), b"precious");
        drop(output.begin(0).unwrap());
        assert_eq!(std::fs::read(folder.path("full")).unwrap(), b"");
    }

    #[test]
    fn a_name_that_would_lie_is_refused_before_there_is_a_file() {
        let folder = Folder::new();
        for name in ["out.jsonl.bz2", "out.XZ", "out.zip"] {
            let error = folder.open(name, Existing::Replace).err().unwrap().to_string();
            assert!(error.contains("no output is compressed with") && !folder.path(name).exists(), "{error}");
        }
    }

    #[test]
    fn two_runs_never_write_to_one_file() {
        let folder = Folder::new();
        let first = folder.open("out", Existing::Replace).unwrap();
        let error = folder.open("out", Existing::Replace).err().unwrap();
        assert!(error.to_string().contains("another run"), "{error}");
        drop(first);
        assert!(folder.open("out", Existing::Replace).is_ok());
    }

    #[test]
    fn a_file_that_was_made_is_taken_away_again_where_nothing_is_begun() {
        let folder = Folder::new();
        std::fs::write(folder.path("empty"), "").unwrap();
        for name in ["new", "empty"] {
            drop(folder.open(name, Existing::Continue).unwrap());
            assert_eq!(folder.path(name).exists(), name == "empty", "{name}");
        }
        drop(folder.open("begun", Existing::Continue).unwrap().begin(0).unwrap());
        folder.open("kept", Existing::Continue).unwrap().keep();
        assert!(folder.path("begun").exists() && folder.path("kept").exists());
    }

    #[test]
    fn a_file_that_is_begun_anew_takes_the_place_of_the_old_one_once_it_is_whole() {
        let folder = Folder::new();
        for name in ["out", "out.gz"] {
            std::fs::write(folder.path(name), "precious").unwrap();
            let written = |name: &str| {
                let mut sheet = folder.open(name, Existing::Replace).unwrap().begin_anew().unwrap();
                sheet.write(|out| out.extend(std::iter::repeat_n(b'x', 2 * BLOCK))).unwrap();
                sheet.finish().unwrap();
                sheet
            };
            let sheet = written(name);
            assert!(folder.open(name, Existing::Replace).is_err(), "two runs write to one file");
            drop(sheet);
            assert_eq!(std::fs::read(folder.path(name)).unwrap(), b"precious");
            written(name).take_place().unwrap();
            let mut content = Vec::new();
            let mut input = Input::open(Some(&folder.path(name))).unwrap();
            io::Read::read_to_end(&mut input.stream, &mut content).unwrap();
            assert_eq!(content, vec![b'x'; 2 * BLOCK], "{name}");
        }
        drop(folder.open("new", Existing::Replace).unwrap().begin_anew().unwrap());
        // The input and both outputs.
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 3);
    }

    #[test]
    fn blocks_end_where_the_content_says_whatever_is_flushed() {
        for name in ["out.gz", "out.zst", "out"] {
            let folder = Folder::new();
            let written = |flush_every: usize| {
                let mut sheet = folder.open(name, Existing::Replace).unwrap().begin(0).unwrap();
                for number in 1..40_000 {
                    sheet.write(|out| out.extend_from_slice(format!("record {number}\n").as_bytes())).unwrap();
                    if number % flush_every == 0 {
                        sheet.flush().unwrap();
                    }
                }
                sheet.finish().unwrap();
                std::fs::read(folder.path(name)).unwrap()
            };
            let expected = written(1_000_000);
            assert_eq!(written(7), expected, "{name}");
            let mut content = String::new();
            io::Read::read_to_string(&mut Input::open(Some(&folder.path(name))).unwrap().stream, &mut content).unwrap();
            assert_eq!(content.lines().count(), 39_999);
        }
    }

    #[test]
    fn a_packed_file_of_nothing_is_an_archive() {
        let folder = Folder::new();
        for (name, start) in [("out.gz", &b"\x1f\x8b"[..]), ("out.zst", b"\x28\xb5\x2f\xfd"), ("out", b"")] {
            folder.open(name, Existing::Replace).unwrap().begin(0).unwrap().finish().unwrap();
            let bytes = std::fs::read(folder.path(name)).unwrap();
            assert!(bytes.starts_with(start) && bytes.is_empty() == start.is_empty(), "{name}: {bytes:?}");
            assert!(Input::open(Some(&folder.path(name))).unwrap().is_empty().unwrap(), "{name}");
        }
    }

    #[test]
    fn a_settled_file_holds_every_record() {
        let folder = Folder::new();
        for name in ["out", "out.gz"] {
            let mut sheet = folder.open(name, Existing::Refuse("")).unwrap().begin(0).unwrap();
            sheet.write(|out| out.extend_from_slice(b"one\n")).unwrap();
            let settled = sheet.settle().unwrap();
            assert_eq!(settled, (name == "out").then_some(4));
            sheet.write(|out| out.extend(std::iter::repeat_n(b'x', BLOCK))).unwrap();
            let size = std::fs::metadata(folder.path(name)).unwrap().len();
            assert_eq!(sheet.settle().unwrap(), Some(size));
        }
    }
}
