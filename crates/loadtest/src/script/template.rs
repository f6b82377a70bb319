//! Text with variables: `/events/${id}`.

use std::collections::HashMap;

/// The variables of one virtual user.
pub type Variables = HashMap<String, String>;

/// Text with variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
}

/// Why a text with its variables cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError {
    variable: String,
    why: &'static str,
}

impl Template {
    /// Parses `${name}` as a variable. The error is a call of a `JMeter` function,
    /// `${__name(…)}`.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else { break };
            if name.starts_with("__") {
                return Err(format!("${{{name}}}"));
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            pieces.push(Piece::Variable(name.into()));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Ok(Self(pieces))
    }

    /// Text without variables, whatever it looks like.
    pub(super) fn raw(text: &str) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    /// Appends the text with the variables' values. A variable without a value stays as it is
    /// written, as in `JMeter`.
    pub(crate) fn fill(&self, variables: &Variables, text: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => text.extend_from_slice(piece.as_bytes()),
                Piece::Variable(name) => match variables.get(name) {
                    Some(value) => text.extend_from_slice(value.as_bytes()),
                    None => {
                        for part in ["${", name, "}"] {
                            text.extend_from_slice(part.as_bytes());
                        }
                    }
                },
            }
        }
    }

    /// Appends the text with the variables' values, of which every byte must be allowed: a value
    /// extracted from a response must not turn one request into two.
    pub(crate) fn fill_checked(
        &self,
        variables: &Variables,
        text: &mut Vec<u8>,
        is_allowed: fn(u8) -> bool,
    ) -> Result<(), TemplateError> {
        for name in self.variables() {
            let why = match variables.get(name) {
                Some(value) if !value.bytes().all(is_allowed) => {
                    "has a character that is not allowed there"
                }
                // Without a value it would be sent as it is written.
                None if !is_allowed(b'{') => "has no value",
                _ => continue,
            };
            return Err(TemplateError { variable: name.into(), why });
        }
        self.fill(variables, text);
        Ok(())
    }

    /// The text before the first variable.
    pub(super) fn start(&self) -> &str {
        match self.0.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    /// Whether every byte of the text around the variables is allowed.
    pub(super) fn allows(&self, is_allowed: fn(u8) -> bool) -> bool {
        self.0.iter().all(|piece| match piece {
            Piece::Text(text) => text.bytes().all(is_allowed),
            Piece::Variable(_) => true,
        })
    }

    fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Variable(name) => Some(name.as_str()),
        })
    }
}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot be sent: ${{{}}} {}", self.variable, self.why)
    }
}

/// Whether a byte is allowed in a path and query (RFC 3986, section 3).
pub(crate) fn in_path(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)
}

/// Whether a byte is allowed in the value of a header.
pub(crate) fn in_header(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}
