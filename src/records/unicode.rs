//! What is UTF-8, and what is said of what is not.

use std::str::Utf8Error;

use crate::error::{Error, Result};

/// What editors on Windows write before the first character of UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What files in UTF-16 begin with, one for each order of bytes.
pub(super) const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// What is said of UTF-16, as editors and PowerShell on Windows write it.
pub(super) const UTF16: &str = "is UTF-16: make it UTF-8 with `iconv -f UTF-16 -t UTF-8`";

/// Whether a file that begins so has the mark of UTF-16.
pub(super) fn begins_as_utf16(start: &[u8]) -> bool {
    UTF16_MARKS.iter().any(|mark| start.starts_with(mark))
}

/// What to do about a file that is not UTF-8.
const TO_UTF8: &str = "convert the file to UTF-8";

/// What is said of a record whose text is not UTF-8.
pub(super) fn not_utf8(error: Utf8Error) -> String {
    format!("invalid UTF-8 at byte {}: {TO_UTF8}", error.valid_up_to() + 1)
}

/// The text of a file, without a byte order mark.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        if begins_as_utf16(bytes) {
            return Error::Record(UTF16.into());
        }
        let line = line_at(bytes, error.valid_up_to());
        Error::Record(format!("line {line}: not UTF-8: {TO_UTF8}"))
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The number of the line, from 1, that holds the byte at `offset`.
pub(super) fn line_at(bytes: &[u8], offset: usize) -> usize {
    1 + bytes[..offset].iter().filter(|&&byte| byte == b'\n').count()
}
