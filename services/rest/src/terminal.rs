//! Escapes text that others wrote, so that it cannot command the terminal it is shown on:
//! retitle or clear it, move its cursor, or have a line read in another order than it has.

use std::borrow::Cow;
use std::fmt::Write;

/// Text of one line or several, with everything but line feeds and tabs escaped that is not
/// shown as itself: `\u{1b}`.
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_where(text, |c| is_command(c) && c != '\n' && c != '\t')
}

/// Text that is shown on one line: line feeds and tabs are escaped too.
pub fn escape_line(text: &str) -> Cow<'_, str> {
    escape_where(text, is_command)
}

/// A JSON document that means the same, with those characters escaped as JSON does. Writers
/// of JSON escape only what the format demands, which is neither DEL nor what comes after
/// ASCII. In a document such characters stand in strings only.
pub fn escape_json(document: String) -> String {
    if !document.contains(is_above_controls) {
        return document;
    }
    let mut escaped = String::with_capacity(document.len() + 16);
    for c in document.chars() {
        if is_above_controls(c) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn escape_where(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Control characters of ASCII and of ISO 6429, and those that change the direction of text.
fn is_command(c: char) -> bool {
    c.is_control() || is_direction(c)
}

/// The ones of them that JSON allows in a string.
fn is_above_controls(c: char) -> bool {
    c >= '\u{7f}' && is_command(c)
}

fn is_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_escaped_and_all_else_stays() {
        for (text, shown) in [
            ("plain\n\tÄ 日本 🎉 עברית", "plain\n\tÄ 日本 🎉 עברית"),
            ("\x1b]0;owned\x07\x1b[2J", "\\u{1b}]0;owned\\u{7}\\u{1b}[2J"),
            ("over\rwritten\x08\0", "over\\rwritten\\u{8}\\u{0}"),
            ("\u{7f}\u{80}\u{9b}2J\u{9f}\u{a0}", "\\u{7f}\\u{80}\\u{9b}2J\\u{9f}\u{a0}"),
            ("\u{202e}\u{2066}\u{200f}\u{61c}", "\\u{202e}\\u{2066}\\u{200f}\\u{61c}"),
        ] {
            assert_eq!(escape(text), shown);
        }
        assert!(matches!(escape("plain"), Cow::Borrowed("plain")));
        assert_eq!(escape_line("a\nb\tc\r\n\x1b"), "a\\nb\\tc\\r\\n\\u{1b}");
    }

    #[test]
    fn an_escaped_document_means_the_same() {
        let value = serde_json::json!({"a\u{9b}": "\x1b \u{7f}\u{85}\u{202e}\n\"Ä"});
        let escaped = escape_json(value.to_string());
        assert!(!escaped.contains(is_command), "{escaped:?}");
        assert!(escaped.contains("\\u202e") && escaped.contains('Ä'), "{escaped}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }
}
