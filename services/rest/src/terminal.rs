//! Escapes text from outside, so that it cannot control the terminal that shows it: retitle or
//! clear it, move its cursor, or show a line in another order than it has.

use std::borrow::Cow;
use std::fmt::Write;

/// Escapes control characters in text of one or more lines, like `\u{1b}`; line feeds and tabs
/// stay.
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_where(text, |c| is_control(c) && c != '\n' && c != '\t')
}

/// Escapes control characters in text that is shown on one line: line feeds and tabs too.
pub fn escape_line(text: &str) -> Cow<'_, str> {
    escape_where(text, is_control)
}

/// Escapes control characters in a JSON document, without changing its value. Writers of JSON
/// escape only what the format requires, which is neither DEL nor anything beyond ASCII. Such
/// characters are in strings only.
pub fn escape_json(document: String) -> String {
    if !document.contains(is_allowed_control) {
        return document;
    }
    let mut escaped = String::with_capacity(document.len() + 16);
    for c in document.chars() {
        if is_allowed_control(c) {
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

/// Whether a character is a control character of ASCII or ISO 6429, or changes the direction of
/// text.
fn is_control(c: char) -> bool {
    c.is_control() || is_direction(c)
}

/// Whether it is one of those that JSON allows unescaped in a string.
fn is_allowed_control(c: char) -> bool {
    c >= '\u{7f}' && is_control(c)
}

fn is_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_control_characters_are_escaped() {
        for (text, escaped) in [
            ("plain\n\tÄ 日本 🎉 עברית", "plain\n\tÄ 日本 🎉 עברית"),
            ("\x1b]0;owned\x07\x1b[2J", "\\u{1b}]0;owned\\u{7}\\u{1b}[2J"),
            ("over\rwritten\x08\0", "over\\rwritten\\u{8}\\u{0}"),
            ("\u{7f}\u{80}\u{9b}2J\u{9f}\u{a0}", "\\u{7f}\\u{80}\\u{9b}2J\\u{9f}\u{a0}"),
            ("\u{202e}\u{2066}\u{200f}\u{61c}", "\\u{202e}\\u{2066}\\u{200f}\\u{61c}"),
        ] {
            assert_eq!(escape(text), escaped);
        }
        assert!(matches!(escape("plain"), Cow::Borrowed("plain")));
        assert_eq!(escape_line("a\nb\tc\r\n\x1b"), "a\\nb\\tc\\r\\n\\u{1b}");
    }

    #[test]
    fn an_escaped_document_has_the_same_value() {
        let value = serde_json::json!({"a\u{9b}": "\x1b \u{7f}\u{85}\u{202e}\n\"Ä"});
        let escaped = escape_json(value.to_string());
        assert!(!escaped.contains(is_control), "{escaped:?}");
        assert!(escaped.contains("\\u202e") && escaped.contains('Ä'), "{escaped}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }
}
