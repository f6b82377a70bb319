//! The parts of a response that later requests and assertions can use.

use std::borrow::Cow;

/// An answer, or nothing where none came.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    /// The status line and headers.
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

/// What of an answer is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Body,
    /// The status line and headers, each in a line that ends with `\n` alone.
    Headers,
    Status,
}

impl Subject {
    /// Reads the name that Taurus gives it.
    pub(super) fn new(name: &str) -> Option<Self> {
        match name {
            "body" => Some(Self::Body),
            "headers" => Some(Self::Headers),
            "http-code" => Some(Self::Status),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Headers => "headers",
            Self::Status => "http-code",
        }
    }

    pub(super) fn of<'a>(self, reply: &Reply<'a>) -> Cow<'a, [u8]> {
        match self {
            Self::Body => reply.body.into(),
            Self::Headers => {
                let lines: Vec<u8> = reply.head.iter().copied().filter(|b| *b != b'\r').collect();
                lines.into()
            }
            // Where there is no answer, there is no status.
            Self::Status if reply.status == 0 => Cow::default(),
            Self::Status => reply.status.to_string().into_bytes().into(),
        }
    }
}
