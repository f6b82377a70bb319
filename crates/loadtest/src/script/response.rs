//! The parts of a response that extractors and assertions use.

use std::borrow::Cow;

/// A response; empty if there was none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ResponseParts<'a> {
    pub(crate) status: u16,
    /// The status line and headers.
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

/// The part that an extractor or assertion uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Body,
    /// The status line and headers, in lines that end with `\n` alone.
    Headers,
    Status,
}

impl Subject {
    /// Parses Taurus's name.
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

    pub(super) fn of<'a>(self, response: &ResponseParts<'a>) -> Cow<'a, [u8]> {
        match self {
            Self::Body => response.body.into(),
            Self::Headers => {
                let bytes = response.head.iter().copied();
                bytes.filter(|byte| *byte != b'\r').collect::<Vec<_>>().into()
            }
            // Without a response there is no status.
            Self::Status if response.status == 0 => Cow::default(),
            Self::Status => response.status.to_string().into_bytes().into(),
        }
    }
}
