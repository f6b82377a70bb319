//! Shows text from services, hosts, tags, logs and archives on a terminal, without passing on
//! control characters.

use std::io::{IsTerminal, Write};

pub use rest::terminal::{escape, escape_json, escape_line};

/// Characters of a line in a live display. Terminals are less wide, and a host may send a
/// line of any length.
const LONGEST_LINE: usize = 500;

/// Text for a live display: one line, escaped and bounded.
pub fn bounded_line(text: &str) -> String {
    let escaped = escape_line(text);
    match escaped.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &escaped[..end]),
        None => escaped.into_owned(),
    }
}

/// Passes on bytes that others wrote: escaped to a terminal, unchanged to a file or a program.
#[derive(Debug)]
pub struct Outlet<W: Write> {
    to: W,
    escaper: Option<Escaper>,
}

impl<W: Write + IsTerminal> Outlet<W> {
    /// An outlet to standard output or standard error.
    pub fn new(to: W) -> Self {
        let escaper = to.is_terminal().then(Escaper::default);
        Self { to, escaper }
    }
}

impl<W: Write> Outlet<W> {
    /// Writes the bytes. A reader that has seen enough, like `head`, is no error.
    pub fn pass_on(&mut self, bytes: &[u8]) {
        let _ = match &mut self.escaper {
            Some(escaper) => self.to.write_all(escaper.escape(bytes).as_bytes()),
            None => self.to.write_all(bytes),
        };
        let _ = self.to.flush();
    }
}

impl<W: Write> Drop for Outlet<W> {
    fn drop(&mut self) {
        if let Some(rest) = self.escaper.as_mut().map(Escaper::finish) {
            let _ = self.to.write_all(rest.as_bytes());
            let _ = self.to.flush();
        }
    }
}

/// Escapes a stream of bytes, whose pieces may end within a character.
#[derive(Debug, Default)]
struct Escaper {
    /// The first bytes of an incomplete character.
    incomplete: Vec<u8>,
}

impl Escaper {
    fn escape(&mut self, bytes: &[u8]) -> String {
        self.incomplete.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.incomplete);
        let mut shown = String::with_capacity(bytes.len());
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            shown.push_str(&escape(chunk.valid()));
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && is_beginning(invalid) {
                self.incomplete = invalid.to_vec();
            } else {
                shown.push_str(&invalid.escape_ascii().to_string());
            }
        }
        shown
    }

    /// What is left at the end.
    fn finish(&mut self) -> String {
        std::mem::take(&mut self.incomplete).escape_ascii().to_string()
    }
}

/// Whether these are the first bytes of a character.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_escaped_wherever_its_pieces_end() {
        let text = "Ä\u{1b}[2J\u{9b}🎉\n".as_bytes();
        let whole = Escaper::default().escape(text);
        assert_eq!(whole, "Ä\\u{1b}[2J\\u{9b}🎉\n");
        for at in 0..text.len() {
            let mut escaper = Escaper::default();
            let parts = [escaper.escape(&text[..at]), escaper.escape(&text[at..])];
            assert_eq!(parts.concat() + &escaper.finish(), whole, "{at}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_by_their_numbers() {
        let mut escaper = Escaper::default();
        // In a terminal of eight bits the first is a whole escape sequence's beginning.
        assert_eq!(escaper.escape(b"\x9b2J\xff \xf0\x9f"), "\\x9b2J\\xff ");
        assert_eq!(escaper.finish(), "\\xf0\\x9f");
    }

    #[test]
    fn only_a_terminal_gets_other_bytes() {
        let file = tempfile::tempfile().unwrap();
        let mut outlet = Outlet::new(file.try_clone().unwrap());
        outlet.pass_on(b"\x1b[31mred\xff\n");
        drop(outlet);
        let mut passed = [0; 32];
        let length = std::os::unix::fs::FileExt::read_at(&file, &mut passed, 0).unwrap();
        assert_eq!(&passed[..length], b"\x1b[31mred\xff\n");
    }

    #[test]
    fn a_line_of_a_live_display_is_one_line_of_some_length() {
        assert_eq!(bounded_line("a\r\nb\x1b"), "a\\r\\nb\\u{1b}");
        let long = bounded_line(&"ä".repeat(100_000));
        assert_eq!(long.chars().count(), LONGEST_LINE + 1);
        assert!(long.ends_with("ä…"));
    }
}
