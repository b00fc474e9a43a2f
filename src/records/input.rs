//! Where records come from: a file or standard input, plain or packed with gzip or Zstandard.
//!
//! A packed file is known by its ending or by its first bytes, standard input by these.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use same_file::Handle;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::digest;
use crate::error::{Error, Result};

/// Bytes that are read at once.
const BUFFER: usize = 1 << 18;

/// Bytes at each end of a file that tell it from another.
const SAMPLE: u64 = 1 << 16;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// gzip, any number of members.
    Gzip,
    /// Zstandard, any number of frames.
    Zstd,
}

impl Packing {
    const ALL: [Self; 2] = [Self::Gzip, Self::Zstd];

    /// By the ending of the name.
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The bytes that every archive begins with; no text does.
    fn magic(self) -> &'static [u8] {
        match self {
            Self::Gzip => &[0x1f, 0x8b],
            Self::Zstd => &[0x28, 0xb5, 0x2f, 0xfd],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "Zstandard",
        }
    }
}

/// An input that is open.
pub struct Input {
    /// What is read, unpacked.
    pub stream: Stream,
    /// What it is called in messages.
    pub name: PathBuf,
    /// The file, where it is one that can be opened again.
    file: Option<PathBuf>,
    /// What tells it from every other file, where the system says it.
    handle: Option<Handle>,
    packed: bool,
}

impl Input {
    /// Opens a file; standard input without a name or with `-`.
    ///
    /// # Errors
    /// The file cannot be opened, or is a folder.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        match path.filter(|path| path.as_os_str() != "-") {
            Some(path) => Self::open_file(path),
            None => {
                let reader = BufReader::with_capacity(BUFFER, io::stdin());
                let input = Self::from_stream(Box::new(reader), "standard input".as_ref())?;
                Ok(Self { handle: Handle::stdin().ok(), ..input })
            }
        }
    }

    fn open_file(path: &Path) -> Result<Self> {
        let failed = |error| Error::io(path, error);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(Error::Usage(format!("{}: is a folder, not a file of records", path.display())));
        }
        let mut reader = BufReader::with_capacity(BUFFER, file);
        if !metadata.is_file() {
            return Self::from_stream(Box::new(reader), path);
        }
        let start = reader.fill_buf().map_err(failed)?;
        let by_content = Packing::ALL.into_iter().find(|packing| start.starts_with(packing.magic()));
        // Nothing at all is no archive; others leave such files where they had nothing to pack.
        let packing = Packing::of(path).filter(|_| !start.is_empty()).or(by_content);
        let stream = match packing {
            Some(packing) => unpack(packing, Box::new(reader)).map_err(failed)?,
            None => Stream::File(reader),
        };
        let handle = Handle::from_path(path).ok();
        Ok(Self { stream, name: path.to_owned(), file: Some(path.to_owned()), handle, packed: packing.is_some() })
    }

    /// A stream says by its first bytes whether it is packed; no more of them is waited for than it takes to know.
    fn from_stream(mut reader: Box<dyn BufRead + Send>, name: &Path) -> Result<Self> {
        let first = reader.fill_buf().map_err(|error| Error::io(name, error))?.first().copied();
        if !Packing::ALL.iter().any(|packing| packing.magic().first().copied() == first) {
            // What is there already can be looked at again.
            return Ok(Self::forward(Stream::Forward(reader), name, false));
        }
        let mut start = Vec::new();
        let packing = loop {
            if let Some(packing) = Packing::ALL.into_iter().find(|packing| start == packing.magic()) {
                break Some(packing);
            }
            let may_be = start.is_empty() || Packing::ALL.iter().any(|packing| packing.magic().starts_with(&start));
            let read = if may_be { read_byte(&mut reader).map_err(|error| Error::io(name, error))? } else { None };
            match read {
                Some(byte) => start.push(byte),
                None => break None,
            }
        };
        let whole = Box::new(Cursor::new(start).chain(reader));
        let stream = match packing {
            Some(packing) => unpack(packing, whole).map_err(|error| Error::io(name, error))?,
            None => Stream::Forward(whole),
        };
        Ok(Self::forward(stream, name, packing.is_some()))
    }

    fn forward(stream: Stream, name: &Path, packed: bool) -> Self {
        Self { stream, name: name.to_owned(), file: None, handle: None, packed }
    }

    /// Whether it is this file, by whatever name.
    pub fn is(&self, file: &Handle) -> bool {
        self.handle.as_ref() == Some(file)
    }

    /// The file, where it is one that is not packed.
    pub fn plain_file(&self) -> Option<&Path> {
        self.file.as_deref().filter(|_| !self.packed)
    }

    /// Whether it holds nothing at all. Waits for the first byte, or the end.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn is_empty(&mut self) -> Result<bool> {
        Ok(self.start()?.is_empty())
    }

    /// What of its beginning can be had at once. Waits for the first byte, or the end.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn start(&mut self) -> Result<&[u8]> {
        self.stream.fill_buf().map_err(|error| Error::io(&self.name, error))
    }

    /// Refuses UTF-16, as editors and PowerShell on Windows write it.
    ///
    /// # Errors
    /// It begins with the mark of UTF-16, or cannot be read.
    pub fn refuse_utf16(&mut self) -> Result<()> {
        let start = self.start()?;
        if !(start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff")) {
            return Ok(());
        }
        let name = self.name.display();
        Err(Error::Usage(format!("{name}: is UTF-16: make it UTF-8 with `iconv -f UTF-16 -t UTF-8`")))
    }

    /// How many bytes it has once unpacked, where that is known at once.
    ///
    /// # Errors
    /// The file cannot be looked at.
    pub fn size(&self) -> Result<Option<u64>> {
        let Some(path) = self.plain_file() else { return Ok(None) };
        let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
        Ok(Some(metadata.len()))
    }

    /// How many bytes it has once unpacked; a packed file is read through for that. None for a stream.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn measured_size(&self) -> Result<Option<u64>> {
        let Some(path) = self.file.as_ref().filter(|_| self.packed) else { return self.size() };
        let mut again = Self::open_file(path)?;
        let size = io::copy(&mut again.stream, &mut io::sink()).map_err(|error| Error::io(path, error))?;
        Ok(Some(size))
    }

    /// What tells this input from another: for a file its size and a SHA-256 of its first and last 64 KiB.
    /// A stream has nothing to look at before it is read.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn fingerprint(&self) -> Result<Value> {
        let Some(path) = &self.file else { return Ok(json!("a stream")) };
        let sample = || -> io::Result<Value> {
            let mut file = File::open(path)?;
            let size = file.metadata()?.len();
            let mut hash = Sha256::new();
            digest::add_all(file.by_ref().take(SAMPLE), &mut hash)?;
            file.seek(SeekFrom::Start(size.saturating_sub(SAMPLE)))?;
            digest::add_all(file.take(SAMPLE), &mut hash)?;
            Ok(json!({ "bytes": size, "ends": digest::hex(hash) }))
        };
        sample().map_err(|error| Error::io(path, error))
    }
}

fn read_byte(reader: &mut impl BufRead) -> io::Result<Option<u8>> {
    let mut byte = [0];
    match reader.read_exact(&mut byte) {
        Ok(()) => Ok(Some(byte[0])),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn unpack(packing: Packing, reader: Box<dyn BufRead + Send>) -> io::Result<Stream> {
    let decoder: Box<dyn Read + Send> = match packing {
        Packing::Gzip => Box::new(MultiGzDecoder::new(reader)),
        Packing::Zstd => Box::new(zstd::Decoder::with_buffer(reader)?),
    };
    Ok(Stream::Forward(Box::new(BufReader::with_capacity(BUFFER, Unpacked { packing, decoder }))))
}

/// A decoder whose errors say what they mean.
struct Unpacked {
    packing: Packing,
    decoder: Box<dyn Read + Send>,
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buffer).map_err(|error| match error.kind() {
            ErrorKind::Interrupted => error,
            ErrorKind::UnexpectedEof => {
                let message = format!("the {} archive is cut off here", self.packing.name());
                io::Error::new(ErrorKind::UnexpectedEof, message)
            }
            kind => io::Error::new(kind, format!("the {} archive is damaged here: {error}", self.packing.name())),
        })
    }
}

/// What is read.
pub enum Stream {
    /// A plain file, which can be read from any place.
    File(BufReader<File>),
    /// What can be read only once, and forwards.
    Forward(Box<dyn BufRead + Send>),
}

impl Stream {
    /// Whether it can be read from any place.
    pub fn is_seekable(&self) -> bool {
        matches!(self, Self::File(_))
    }

    fn reader(&mut self) -> &mut dyn BufRead {
        match self {
            Self::File(reader) => reader,
            Self::Forward(reader) => reader,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader().read(buffer)
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::File(reader) => reader.fill_buf(),
            Self::Forward(reader) => reader.fill_buf(),
        }
    }

    fn consume(&mut self, amount: usize) {
        self.reader().consume(amount);
    }
}

impl Seek for Stream {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(reader) => reader.seek(place),
            Self::Forward(_) => Err(ErrorKind::NotSeekable.into()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn packed(bytes: &[u8]) -> [Vec<u8>; 2] {
        [gzip(bytes), zstd::bulk::compress(bytes, 3).unwrap()]
    }

    fn stream(bytes: Vec<u8>) -> Result<Input> {
        Input::from_stream(Box::new(Cursor::new(bytes)), "standard input".as_ref())
    }

    fn content(mut input: Input) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        input.stream.read_to_end(&mut content).map(|_| content)
    }

    #[test]
    fn a_stream_is_unpacked_by_its_first_bytes_and_a_text_is_left_alone() {
        for bytes in packed(b"text\n").into_iter().chain([b"text\n".to_vec()]) {
            assert_eq!(content(stream(bytes).unwrap()).unwrap(), b"text\n");
        }
        for start in [&b""[..], b"\x1f", b"(", b"(\xb5", b"(\xb5/x"] {
            assert_eq!(content(stream(start.to_vec()).unwrap()).unwrap(), start);
        }
    }

    #[test]
    fn a_packed_file_is_unpacked_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.jsonl");
        for bytes in packed(b"text\n").into_iter().chain([b"text\n".to_vec()]) {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(content(Input::open(Some(&path)).unwrap()).unwrap(), b"text\n");
        }
    }

    #[test]
    fn an_empty_file_is_empty_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["in.jsonl", "in.jsonl.gz", "in.jsonl.zst"] {
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            assert!(content(Input::open(Some(&path)).unwrap()).unwrap().is_empty(), "{name}");
        }
    }

    #[test]
    fn members_and_frames_follow_one_another() {
        for (first, second) in packed(b"one\n").into_iter().zip(packed(b"two\n")) {
            assert_eq!(content(stream([first, second].concat()).unwrap()).unwrap(), b"one\ntwo\n");
        }
    }

    #[test]
    fn an_archive_that_is_cut_off_or_damaged_says_so() {
        for mut bytes in packed(&b"something to pack\n".repeat(100)) {
            let error = content(stream(bytes[..bytes.len() - 9].to_vec()).unwrap()).unwrap_err();
            assert!(error.to_string().contains("archive is cut off here"), "{error}");
            let middle = bytes.len() / 2;
            bytes[middle..].fill(0xaa);
            let error = content(stream(bytes).unwrap()).unwrap_err();
            assert!(error.to_string().contains("archive is "), "{error}");
        }
    }

    #[test]
    fn files_differ_by_size_and_by_both_ends() {
        let folder = tempfile::tempdir().unwrap();
        let fingerprint = |content: &[u8]| {
            let path = folder.path().join("in.jsonl");
            std::fs::write(&path, content).unwrap();
            Input::open(Some(&path)).unwrap().fingerprint().unwrap()
        };
        let content = b"x".repeat(200_000);
        let before = fingerprint(&content);
        assert_eq!(fingerprint(&content), before);
        for place in [0, 199_999] {
            let mut other = content.clone();
            other[place] = b'y';
            assert_ne!(fingerprint(&other), before);
        }
        assert_ne!(fingerprint(&content[1..]), before);
    }

    #[test]
    fn the_size_of_a_packed_file_is_that_of_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.jsonl.gz");
        std::fs::write(&path, gzip(b"text\n")).unwrap();
        let input = Input::open(Some(&path)).unwrap();
        assert_eq!((input.size().unwrap(), input.measured_size().unwrap()), (None, Some(5)));
    }
}
