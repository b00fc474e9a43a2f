//! The rows of CSV and TSV. In CSV they end at any line end that is not inside quotes, and blank lines are none. In TSV
//! a line is a row, whatever is in it.

use std::io::{self, BufRead, ErrorKind, Seek, SeekFrom};

use csv::ByteRecord;
use memchr::{memchr, memchr3};
use sha2::{Digest, Sha256};

use super::{LONGEST, Place, Raw};

const TAB: u8 = b'\t';

/// A row of input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub(super) begin: Place,
    pub(super) end: Place,
    pub(super) fields: ByteRecord,
    pub(super) quotes: Quotes,
    /// The cells of CSV that are quotes around nothing, by their places, which rise: databases tell an empty text so
    /// from a missing one.
    pub(super) empty_texts: Vec<usize>,
    /// Whether a carriage return is at its end: in TSV in front of the line feed, in CSV perhaps so.
    ends_in_cr: bool,
}

impl Raw for Row {
    fn begin(&self) -> Place {
        self.begin
    }

    fn end(&self) -> Place {
        self.end
    }

    fn fingerprint(&self, hash: &mut Sha256) {
        for field in &self.fields {
            hash.update((field.len() as u64).to_le_bytes());
            hash.update(field);
        }
    }
}

/// How the quotes of a row stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// All are closed, or there are none.
    Sound,
    /// Those around several lines are closed in the middle of a cell: they may have taken other rows.
    Torn,
    /// One is still open where the input ends: it took all the rest.
    Open,
}

impl Quotes {
    /// What is wrong with them.
    pub(super) fn flaw(self) -> Option<&'static str> {
        match self {
            Self::Sound => None,
            Self::Torn => {
                Some("quotes around several lines are closed in the middle of a cell: is one missing, or not doubled?")
            }
            Self::Open => Some("a quote is opened in this row and never closed"),
        }
    }
}

/// Reads rows.
pub(super) struct Rows<B> {
    input: B,
    delimiter: u8,
    /// Where the next row begins, or blank lines before it do.
    place: Place,
    /// Bytes of the longest row: an open quote would swallow all the rest.
    longest: u64,
}

impl<B: BufRead> Rows<B> {
    /// The rows of an `input` that stands at `place`, with this between their cells.
    pub(super) fn new(input: B, delimiter: u8, place: Place) -> Self {
        Self { input, delimiter, place, longest: LONGEST }
    }

    /// What they are read from.
    pub(super) fn input(&self) -> &B {
        &self.input
    }

    /// Where the input stands.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Where the next row begins. Waits for it.
    pub(super) fn begin(&mut self) -> io::Result<Place> {
        while self.delimiter != TAB {
            let buffer = match self.input.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                filled => filled?,
            };
            let blank = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if blank == 0 {
                break;
            }
            self.place = behind(self.place, &buffer[..blank]);
            self.input.consume(blank);
        }
        Ok(self.place)
    }

    /// The next row; none at the end.
    pub(super) fn read(&mut self) -> io::Result<Option<Row>> {
        let begin = self.begin()?;
        let (mut end, mut cells) = (begin, Cells::new(self.delimiter));
        loop {
            let buffer = match self.input.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                filled => filled?,
            };
            if buffer.is_empty() && end == begin {
                return Ok(None);
            }
            let is_last = buffer.is_empty();
            let (taken, is_whole) = cells.take(buffer);
            end = behind(end, &buffer[..taken]);
            self.input.consume(taken);
            if is_whole || is_last {
                self.place = end;
                return Ok(Some(cells.finish(begin, end)));
            }
            if end.byte - begin.byte >= self.longest {
                return Err(io::Error::other("a row longer than 1 GiB begins here: is a quote missing?"));
            }
        }
    }

    /// Whether there is no row any more. Waits for the next one.
    pub(super) fn is_at_end(&mut self) -> io::Result<bool> {
        self.begin()?;
        Ok(self.next_byte()?.is_none())
    }

    /// Whether this row, which was read last, ends in CR LF. Waits for what follows a CR.
    pub(super) fn ended_in_crlf(&mut self, row: &Row) -> io::Result<bool> {
        Ok(row.ends_in_cr && (self.delimiter == TAB || self.next_byte()? == Some(b'\n')))
    }

    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                filled => return Ok(filled?.first().copied()),
            }
        }
    }
}

impl<B: Seek> Rows<B> {
    /// Goes on at `place`, where a row begins.
    pub(super) fn seek(&mut self, place: Place) -> io::Result<()> {
        self.input.seek(SeekFrom::Start(place.byte))?;
        self.place = place;
        Ok(())
    }
}

impl<B: BufRead> Iterator for Rows<B> {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The place behind these bytes, which begin at `place`.
fn behind(place: Place, bytes: &[u8]) -> Place {
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
    Place { line: place.line + lines as u64, byte: place.byte + bytes.len() as u64 }
}

/// Where in a cell its next byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// At its beginning.
    Begin,
    /// Where a quote is a byte like any other.
    Bare,
    /// Inside quotes.
    Quoted,
    /// Behind a quote inside quotes, which closes them unless another one follows.
    Quote,
}

/// A row as it is read.
struct Cells {
    delimiter: u8,
    at: At,
    /// The cell that is read.
    cell: Vec<u8>,
    /// How much of it stood inside quotes that are closed.
    quoted: usize,
    fields: ByteRecord,
    quotes: Quotes,
    /// Those that are quotes around nothing.
    empty_texts: Vec<usize>,
    /// Whether a carriage return is at its end.
    ends_in_cr: bool,
}

impl Cells {
    fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            at: At::Begin,
            cell: Vec::new(),
            quoted: 0,
            fields: ByteRecord::new(),
            quotes: Quotes::Sound,
            empty_texts: Vec::new(),
            ends_in_cr: false,
        }
    }

    /// Takes bytes up to the end of the row: how many, and whether it ends with them.
    fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let plain = self.plain(rest);
            self.cell.extend_from_slice(&rest[..plain]);
            taken += plain;
            if let Some(&byte) = rest.get(plain) {
                taken += 1;
                if self.ends_with(byte) {
                    return (taken, true);
                }
            }
        }
        (taken, false)
    }

    /// How many of the next bytes are of the cell, whatever follows.
    fn plain(&self, bytes: &[u8]) -> usize {
        let special = match self.at {
            At::Bare => memchr3(self.delimiter, b'\n', b'\r', bytes),
            At::Quoted => memchr(b'"', bytes),
            At::Begin | At::Quote => Some(0),
        };
        special.unwrap_or(bytes.len())
    }

    /// Takes a byte, and says whether the row ends with it.
    fn ends_with(&mut self, byte: u8) -> bool {
        let is_csv = self.delimiter != TAB;
        match (self.at, byte) {
            (At::Quoted, b'"') => self.at = At::Quote,
            (At::Quoted, _) => self.cell.push(byte),
            (At::Begin, b'"') if is_csv => self.at = At::Quoted,
            (At::Quote, b'"') => {
                self.cell.push(byte);
                self.at = At::Quoted;
            }
            _ if byte == self.delimiter => self.end_cell(),
            (_, b'\n') => return true,
            (_, b'\r') if is_csv => {
                self.ends_in_cr = true;
                return true;
            }
            _ => {
                if self.at == At::Quote {
                    self.quoted = self.cell.len();
                }
                self.cell.push(byte);
                self.at = At::Bare;
            }
        }
        false
    }

    fn end_cell(&mut self) {
        let (inside, behind) = self.cell.split_at(self.quoted);
        if inside.contains(&b'\n') && !behind.trim_ascii().is_empty() {
            self.quotes = Quotes::Torn;
        }
        if self.at == At::Quote && self.cell.is_empty() {
            self.empty_texts.push(self.fields.len());
        }
        self.fields.push_field(&self.cell);
        self.cell.clear();
        (self.at, self.quoted) = (At::Begin, 0);
    }

    /// The row from `begin` to `end`, which has ended.
    fn finish(mut self, begin: Place, end: Place) -> Row {
        let is_open = self.at == At::Quoted;
        if self.delimiter == TAB && self.cell.ends_with(b"\r") {
            self.cell.pop();
            self.ends_in_cr = true;
        }
        self.end_cell();
        let quotes = if is_open { Quotes::Open } else { self.quotes };
        let Self { fields, empty_texts, ends_in_cr, .. } = self;
        Row { begin, end, fields, quotes, empty_texts, ends_in_cr }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(input: &[u8], delimiter: u8) -> Vec<Row> {
        Rows::new(input, delimiter, Place::START).map(|row| row.unwrap()).collect()
    }

    /// The cells of each row, one behind the other.
    fn cells(input: &str, delimiter: u8) -> Vec<Vec<String>> {
        let text = |field: &[u8]| String::from_utf8(field.to_vec()).unwrap();
        read(input.as_bytes(), delimiter).iter().map(|row| row.fields.iter().map(text).collect()).collect()
    }

    #[test]
    fn in_tsv_a_line_is_a_row_whatever_is_in_it() {
        let input = "a\tb\n\n\r\nc\rd\t\"e\n\tf\r\n\n";
        let expected: [&[&str]; 6] = [&["a", "b"], &[""], &[""], &["c\rd", "\"e"], &["", "f"], &[""]];
        assert_eq!(cells(input, TAB), expected);
        assert_eq!(cells("a\nb\r", TAB), [["a"], ["b"]]);
        assert_eq!(cells("", TAB), Vec::<Vec<String>>::new());
        let lines: Vec<u64> = read(input.as_bytes(), TAB).iter().map(|row| row.begin.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn in_csv_quotes_hold_commas_and_line_ends_and_blank_lines_are_no_rows() {
        let input = "\na,\"b, \"\"c\"\"\r\nd\"\r\n\r\n,\"\"\re\"f,\"g\"h\n\n";
        let expected: [&[&str]; 3] = [&["a", "b, \"c\"\r\nd"], &["", ""], &["e\"f", "gh"]];
        assert_eq!(cells(input, b','), expected);
        let begins: Vec<Place> = read(input.as_bytes(), b',').iter().map(|row| row.begin).collect();
        let place = |line, byte| Place { line, byte };
        assert_eq!(begins, [place(2, 1), place(5, 20), place(5, 24)]);
    }

    #[test]
    fn the_quotes_say_whether_rows_may_have_been_taken() {
        for (input, expected) in [
            ("1,\"a\nb\"", Quotes::Sound),
            ("1,\"a\nb\" ", Quotes::Sound),
            ("1,\"a\nb\"\t\r\n", Quotes::Sound),
            ("1,\"a\" b", Quotes::Sound),
            ("1,a \"b", Quotes::Sound),
            ("2,\"open\n3,x\n4,the \"end\"", Quotes::Torn),
            ("2,\"open\n3,x\n4,the \"end\",5\n", Quotes::Torn),
            ("2,\"open\n3,x\n4,the \" end", Quotes::Torn),
            ("2,\"open", Quotes::Open),
            ("2,\"open\n3,x\n", Quotes::Open),
            ("2,\"open\n3,\"\"", Quotes::Open),
        ] {
            let rows = read(input.as_bytes(), b',');
            assert_eq!((rows.len(), rows[0].quotes), (1, expected), "{input:?}");
        }
        assert!(read(b"\"a\nb\"c\td\"\n", TAB).iter().all(|row| row.quotes == Quotes::Sound));
    }

    #[test]
    fn a_row_says_how_it_ends_however_the_input_comes() {
        for (input, delimiter, expected) in [
            ("a,b\r\nc\n", b',', true),
            ("a,b\nc\r\n", b',', false),
            ("a,b\rc\r\n", b',', false),
            ("\"a\r\nb\"\nc\r\n", b',', false),
            ("a,b", b',', false),
            ("a\tb\r\n", TAB, true),
            ("a\rb\nc\r\n", TAB, false),
        ] {
            for size in 1..9 {
                let parts = io::BufReader::with_capacity(size, input.as_bytes());
                let mut rows = Rows::new(parts, delimiter, Place::START);
                let row = rows.read().unwrap().unwrap();
                assert_eq!(rows.ended_in_crlf(&row).unwrap(), expected, "{input:?} {size}");
            }
        }
    }

    #[test]
    fn a_row_without_an_end_is_not_read_for_ever() {
        let mut rows = Rows::new(io::BufReader::new(io::repeat(b'a')), b',', Place::START);
        rows.longest = 1 << 20;
        let error = rows.read().unwrap_err();
        assert!(error.to_string().contains("is a quote missing?"), "{error}");
    }

    proptest! {
        #[test]
        fn rows_touch_and_are_the_same_however_the_input_comes(
            input in "[ab,\t\"\r\n]{0,60}",
            delimiter in prop_oneof![Just(b','), Just(TAB)],
            size in 1..9_usize,
        ) {
            let whole = read(input.as_bytes(), delimiter);
            let parts = io::BufReader::with_capacity(size, input.as_bytes());
            let parts: Vec<Row> = Rows::new(parts, delimiter, Place::START).map(|row| row.unwrap()).collect();
            prop_assert_eq!(&parts, &whole);
            let blank = |from: u64, to: u64| input[from as usize..to as usize].trim_matches(['\r', '\n']).is_empty();
            let mut end = 0;
            for row in &whole {
                prop_assert!(row.begin.byte >= end && blank(end, row.begin.byte) && row.end.byte > row.begin.byte);
                prop_assert!(delimiter != TAB || row.begin.byte == end);
                end = row.end.byte;
            }
            prop_assert!(blank(end, input.len() as u64));
            prop_assert!(delimiter != TAB || end == input.len() as u64);
        }

        #[test]
        fn csv_is_read_as_its_library_reads_it(input in "[ab,\"\r\n ]{0,60}") {
            let mut library = csv::ReaderBuilder::new();
            let library = library.has_headers(false).flexible(true).from_reader(input.as_bytes()).into_byte_records();
            let expected: Vec<ByteRecord> = library.map(|row| row.unwrap()).collect();
            let found: Vec<ByteRecord> = read(input.as_bytes(), b',').into_iter().map(|row| row.fields).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
