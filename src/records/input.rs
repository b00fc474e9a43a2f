//! Where records come from: a file or standard input, plain or packed with gzip or Zstandard.
//!
//! A packed file is known by its ending or by its first bytes, standard input by these.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;
use same_file::Handle;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::unicode::{BYTE_ORDER_MARK, UTF16, UTF16_MARKS, begins_as_utf16};
use crate::digest;
use crate::error::{Error, Result};
use crate::files;

/// Bytes that are read at once.
const BUFFER: usize = 1 << 18;

/// Bytes at each end of a file that tell it from another.
const SAMPLE: u64 = 1 << 16;

/// The longest window that an archive of Zstandard may ask for, as a power of 2: all that the format's own tool writes.
const LONGEST_WINDOW: u32 = if cfg!(target_pointer_width = "64") { 31 } else { 30 };

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// gzip, any number of members.
    Gzip,
    /// Zstandard, any number of frames. Each takes as much memory as the window that it asks for: up to 2 GiB with
    /// `--long=31`.
    Zstd,
}

impl Packing {
    const ALL: [Self; 2] = [Self::Gzip, Self::Zstd];

    /// By the ending of the name.
    pub fn of(path: &Path) -> Option<Self> {
        match ending(path).as_str() {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// By the first bytes.
    fn by_content(start: &[u8]) -> Option<Self> {
        // What a reader of Zstandard is to skip may stand before the first frame.
        let is_skipped = matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
        let begins = |packing: &Self| start.starts_with(packing.magic()) || is_skipped && *packing == Self::Zstd;
        Self::ALL.into_iter().find(begins)
    }

    /// The bytes that archives begin with; no text does.
    const fn magic(self) -> &'static [u8] {
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

/// What an input is known by, if it begins so.
const SIGNS: [&[u8]; 5] =
    [Packing::Gzip.magic(), Packing::Zstd.magic(), BYTE_ORDER_MARK, UTF16_MARKS[0], UTF16_MARKS[1]];

/// A way to pack files that is not known here.
struct Foreign {
    name: &'static str,
    ending: &'static str,
    /// What unpacks it to standard output.
    tool: &'static str,
    /// Whether an archive begins so.
    begins: fn(&[u8]) -> bool,
}

const FOREIGN: [Foreign; 3] = [
    Foreign { name: "bzip2", ending: "bz2", tool: "bzcat", begins: begins_as_bzip2 },
    Foreign { name: "xz", ending: "xz", tool: "xzcat", begins: |start| start.starts_with(b"\xfd7zXZ\0") },
    Foreign { name: "zip", ending: "zip", tool: "unzip -p", begins: |start| start.starts_with(b"PK\x03\x04") },
];

/// Behind the size of the blocks stands pi.
fn begins_as_bzip2(start: &[u8]) -> bool {
    matches!(start, [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', b'S', b'Y', ..])
}

/// What the names of spreadsheets that are zip archives end in.
const SPREADSHEETS: [&str; 4] = ["xlsx", "xlsm", "xlsb", "ods"];

/// What the name of a file ends in, in small letters.
fn ending(path: &Path) -> String {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase()
}

/// Refuses what is packed in a way that is not known here, where it begins so.
fn refuse_foreign(name: &Path, start: &[u8]) -> Result<()> {
    match FOREIGN.iter().find(|foreign| (foreign.begins)(start)) {
        Some(Foreign { name: "zip", .. }) if SPREADSHEETS.contains(&&*ending(name)) => {
            Err(Error::Usage(format!("{}: is a spreadsheet: save it as CSV in UTF-8", name.display())))
        }
        Some(Foreign { name: packing, tool, .. }) => {
            let name = name.display();
            Err(Error::Usage(format!("{name}: is compressed with {packing}: decompress it first with `{tool}`")))
        }
        None => Ok(()),
    }
}

/// Refuses a name for an output that would say that it is packed in a way that is not known here.
///
/// # Errors
/// It ends so.
pub(super) fn refuse_foreign_ending(path: &Path) -> Result<()> {
    let ending = ending(path);
    match FOREIGN.iter().find(|foreign| foreign.ending == ending) {
        Some(Foreign { name: packing, .. }) => {
            let name = path.display();
            Err(Error::Usage(format!(
                "{name}: no output is compressed with {packing}: end its name in .gz or .zst, or in neither"
            )))
        }
        None => Ok(()),
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
    /// The file cannot be opened, is a folder, or is packed in a way that is not known here.
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
        let file = files::open(path)?;
        let metadata = file.metadata().map_err(failed)?;
        let mut reader = BufReader::with_capacity(BUFFER, file);
        if !metadata.is_file() {
            return Self::from_stream(Box::new(reader), path);
        }
        let handle = Handle::from_path(path).ok();
        if is_descriptor(path) {
            return Ok(Self { handle, ..Self::from_stream(Box::new(reader), path)? });
        }
        let start = reader.fill_buf().map_err(failed)?;
        refuse_foreign(path, start)?;
        let packing = Packing::by_content(start);
        // Nothing at all is no archive; others leave such files where they had nothing to pack.
        if let Some(named) = Packing::of(path).filter(|_| packing.is_none() && !start.is_empty()) {
            let (path, named) = (path.display(), named.name());
            return Err(Error::Usage(format!(
                "{path}: is named like an archive of {named}, and is none: rename it, or fetch it again"
            )));
        }
        let stream = match packing {
            Some(packing) => unpack(packing, Box::new(reader)).map_err(failed)?,
            None => Stream::File(reader),
        };
        Ok(Self { stream, name: path.to_owned(), file: Some(path.to_owned()), handle, packed: packing.is_some() })
    }

    /// A stream says by its first bytes whether it is packed.
    fn from_stream(reader: Box<dyn BufRead + Send>, name: &Path) -> Result<Self> {
        let failed = |error| Error::io(name, error);
        let mut reader = with_whole_sign(reader).map_err(failed)?;
        let start = reader.fill_buf().map_err(failed)?;
        refuse_foreign(name, start)?;
        let packing = Packing::by_content(start);
        let stream = match packing {
            Some(packing) => unpack(packing, reader).map_err(failed)?,
            None => Stream::Forward(reader),
        };
        Ok(Self { stream, name: name.to_owned(), file: None, handle: None, packed: packing.is_some() })
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

    /// Refuses UTF-16.
    ///
    /// # Errors
    /// It begins with the mark of UTF-16, or cannot be read.
    pub fn refuse_utf16(&mut self) -> Result<()> {
        match begins_as_utf16(self.start()?) {
            true => Err(Error::Usage(format!("{}: {UTF16}", self.name.display()))),
            false => Ok(()),
        }
    }

    /// All that is in it, unpacked, behind what it is called in messages.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_whole(&mut self) -> Result<(String, Vec<u8>)> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).map_err(|error| Error::io(&self.name, error))?;
        Ok((self.name.display().to_string(), bytes))
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

/// Whether a file of this name is one that is open already: opened again, it may go on where that one stands, as on
/// macOS, and so has to be read as a stream.
fn is_descriptor(path: &Path) -> bool {
    path == Path::new("/dev/stdin") || path.starts_with("/dev/fd")
}

/// A reader of the same, which shows at once the whole of a sign that it begins with. No more is waited for than it
/// takes to know; what is there already can be looked at again.
fn with_whole_sign(mut reader: Box<dyn BufRead + Send>) -> io::Result<Box<dyn BufRead + Send>> {
    let mut start = Vec::new();
    loop {
        let more = reader.fill_buf()?;
        let size = more.len();
        start.extend_from_slice(more);
        reader.consume(size);
        let is_begun = SIGNS.iter().any(|sign| sign.len() > start.len() && sign.starts_with(&start));
        if size == 0 || !is_begun {
            return Ok(Box::new(Cursor::new(start).chain(reader)));
        }
    }
}

fn unpack(packing: Packing, reader: Box<dyn BufRead + Send>) -> io::Result<Stream> {
    let decoder: Box<dyn Read + Send> = match packing {
        Packing::Gzip => Box::new(Members(GzDecoder::new(reader))),
        Packing::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(reader)?;
            decoder.window_log_max(LONGEST_WINDOW)?;
            Box::new(decoder)
        }
    };
    Ok(Stream::Forward(Box::new(BufReader::with_capacity(BUFFER, Unpacked { packing, decoder }))))
}

/// What is said of an archive that is whole and does not end there.
const NO_MEMBER: &str = "behind what is whole stands something that is no gzip: remove it, or fetch the archive again";

/// The members of a gzip archive, one behind the other. Zeros behind one fill up a block, and are passed over.
struct Members(GzDecoder<Box<dyn BufRead + Send>>);

impl Read for Members {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.0.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match behind_zeros(self.0.get_mut())? {
                None => return Ok(0),
                Some(byte) if !Packing::Gzip.magic().starts_with(&[byte]) => return Err(io::Error::other(NO_MEMBER)),
                Some(_) => {}
            }
            let rest = self.0.reset(Box::new(io::empty()));
            self.0.reset(rest);
        }
    }
}

/// Goes to the first byte that is not zero; none at the end.
fn behind_zeros(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let buffer = input.fill_buf()?;
        let (size, zeros) = (buffer.len(), buffer.iter().take_while(|byte| **byte == 0).count());
        let next = buffer.get(zeros).copied();
        input.consume(zeros);
        if size == 0 || next.is_some() {
            return Ok(next);
        }
    }
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
    fn what_a_stream_begins_with_is_known_however_it_comes() {
        let trickle = |bytes: Vec<u8>| {
            let reader = BufReader::with_capacity(1, Cursor::new(bytes));
            Input::from_stream(Box::new(reader), "standard input".as_ref()).unwrap()
        };
        for bytes in packed(b"text\n") {
            assert_eq!(content(trickle(bytes)).unwrap(), b"text\n");
        }
        for mark in UTF16_MARKS {
            assert!(trickle([mark, b"t\0"].concat()).refuse_utf16().is_err());
        }
        let mut marked = trickle([BYTE_ORDER_MARK, b"text\n"].concat());
        assert_eq!(marked.start().unwrap(), BYTE_ORDER_MARK);
        assert_eq!(content(marked).unwrap(), [BYTE_ORDER_MARK, b"text\n"].concat());
        for start in [&b""[..], b"\x1f", b"(\xb5/x", b"\xef\xbb", b"\xff"] {
            assert_eq!(content(trickle(start.to_vec())).unwrap(), start);
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
    fn what_only_has_the_name_of_an_archive_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (name, packing) in [("in.jsonl.gz", "gzip"), ("in.jsonl.zst", "Zstandard")] {
            let path = folder.path().join(name);
            std::fs::write(&path, "text\n").unwrap();
            let error = Input::open(Some(&path)).err().unwrap().to_string();
            assert!(error.contains(&format!("named like an archive of {packing}, and is none: rename it")), "{error}");
        }
    }

    #[test]
    fn what_is_to_be_skipped_may_stand_before_an_archive() {
        let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
        let bytes = [&skipped[..], &zstd::bulk::compress(b"text\n", 3).unwrap()].concat();
        assert_eq!(content(stream(bytes).unwrap()).unwrap(), b"text\n");
    }

    #[test]
    fn a_spreadsheet_is_refused_with_what_to_save_it_as() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.XLSX");
        std::fs::write(&path, "PK\x03\x04").unwrap();
        let error = Input::open(Some(&path)).err().unwrap().to_string();
        assert!(error.ends_with("in.XLSX: is a spreadsheet: save it as CSV in UTF-8"), "{error}");
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
    fn zeros_behind_a_member_are_passed_over() {
        let (one, two, zeros) = (gzip(b"one\n"), gzip(b"two\n"), vec![0; BUFFER + 1]);
        assert_eq!(content(stream([&one[..], &zeros].concat()).unwrap()).unwrap(), b"one\n");
        assert_eq!(content(stream([&one[..], &zeros, &two, &[0]].concat()).unwrap()).unwrap(), b"one\ntwo\n");
        for garbage in [&b"x"[..], b"more than the header of a member takes"] {
            let error = content(stream([&one[..], &zeros, garbage].concat()).unwrap()).unwrap_err().to_string();
            assert_eq!(error, format!("the gzip archive is damaged here: {NO_MEMBER}"));
        }
    }

    #[test]
    fn a_window_of_any_size_is_read() {
        // A frame of one block, which is not packed, with a window of 2 GiB.
        let frame = b"\x28\xb5\x2f\xfd\x00\xa8\x29\0\0text\n";
        assert_eq!(content(stream(frame.to_vec()).unwrap()).unwrap(), b"text\n");
    }

    #[test]
    fn what_is_packed_otherwise_is_refused_with_what_unpacks_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.jsonl");
        for (start, what) in [
            (&b"BZh91AY&SY\0"[..], "is compressed with bzip2: decompress it first with `bzcat`"),
            (b"\xfd7zXZ\0\0", "is compressed with xz: decompress it first with `xzcat`"),
            (b"PK\x03\x04\x14", "is compressed with zip: decompress it first with `unzip -p`"),
        ] {
            std::fs::write(&path, start).unwrap();
            for error in [Input::open(Some(&path)).err(), stream(start.to_vec()).err()] {
                assert!(error.unwrap().to_string().ends_with(what), "{what}");
            }
        }
        for start in [&b"BZh9 is no archive"[..], b"PK", b"xz"] {
            assert_eq!(content(stream(start.to_vec()).unwrap()).unwrap(), start);
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

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_open_already_is_read_as_a_stream_and_is_still_that_file() {
        use std::os::fd::AsRawFd;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.jsonl");
        std::fs::write(&path, "text\n").unwrap();
        let file = File::open(&path).unwrap();
        let input = Input::open(Some(format!("/dev/fd/{}", file.as_raw_fd()).as_ref())).unwrap();
        assert!(input.plain_file().is_none() && !input.stream.is_seekable());
        assert_eq!(input.fingerprint().unwrap(), "a stream");
        assert!(input.is(&Handle::from_path(&path).unwrap()));
        assert_eq!(content(input).unwrap(), b"text\n");
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
