//! Text as a terminal may show it: what a record says must not move the cursor, hide a line or ring a bell.

use std::io::{self, IsTerminal, Write};

/// Text with its control characters written as escapes, so that none reaches a terminal raw.
pub fn escaped(text: &str) -> String {
    escaped_but(text, |_| false)
}

/// All of these characters are below 2^16, so that four digits write each, as JSON has them: a line of JSON stays one.
fn escaped_but(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            _ if is_kept(character) => out.push(character),
            '\n' | '\r' | '\t' => out.extend(character.escape_default()),
            _ if character.is_control() || is_direction_mark(character) => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out
}

/// Marks that turn the direction of writing can make a line read as another.
fn is_direction_mark(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Standard output; escaped where a terminal shows it.
pub fn stdout() -> Box<dyn Write> {
    let stdout = io::stdout().lock();
    if stdout.is_terminal() { Box::new(Escaping { out: stdout, rest: Vec::new() }) } else { Box::new(stdout) }
}

/// Writes text with its control characters escaped, but for those between lines and columns.
struct Escaping<W> {
    out: W,
    /// The beginning of a character that is not complete yet.
    rest: Vec<u8>,
}

impl<W: Write> Write for Escaping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        let incomplete = match std::str::from_utf8(&self.rest) {
            Err(error) if error.error_len().is_none() => self.rest.len() - error.valid_up_to(),
            _ => 0,
        };
        let text: Vec<u8> = self.rest.drain(..self.rest.len() - incomplete).collect();
        // The line ends of CSV are none to be shown.
        let lines = String::from_utf8_lossy(&text).replace("\r\n", "\n");
        let shown = escaped_but(&lines, |character| matches!(character, '\n' | '\t'));
        self.out.write_all(shown.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_direction_marks_are_escaped() {
        assert_eq!(escaped("a\u{1b}[31mb\u{9b}c\u{202e}d\n"), "a\\u001b[31mb\\u009bc\\u202ed\\n");
        assert_eq!(escaped("voilà 日本"), "voilà 日本");
    }

    #[test]
    fn a_backslash_before_a_line_end_stays() {
        let mut out = Escaping { out: Vec::new(), rest: Vec::new() };
        out.write_all(b"C:\\r\na\r\n").unwrap();
        assert_eq!(out.out, b"C:\\r\na\n");
    }

    #[test]
    fn lines_stay_lines_and_characters_stay_whole_however_they_are_cut() {
        let text = "日本\u{9b}1m\tà\r\nb\rc\u{7f}\n";
        for size in 1..text.len() {
            let mut out = Escaping { out: Vec::new(), rest: Vec::new() };
            text.as_bytes().chunks(size).for_each(|part| out.write_all(part).unwrap());
            let shown = String::from_utf8(out.out).unwrap();
            assert_eq!(shown.replace("\\r\n", "\n"), "日本\\u009b1m\tà\nb\\rc\\u007f\n", "{size}");
        }
    }
}
