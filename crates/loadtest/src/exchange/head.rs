//! Parses the head of a response: its status line and headers.

use super::invalid;

const MAX_HEADERS: usize = 100;

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilClosed,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Its own length in bytes.
    pub(super) length: usize,
    pub(super) status: u16,
    pub(super) framing: Framing,
    pub(super) keepalive: bool,
}

/// Parses a head; `None` if it is not complete. `is_head` says that the request was HEAD.
pub(super) fn parse(received: &[u8], is_head: bool) -> Result<Option<Head>, String> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(received).map_err(|error| invalid(&error.to_string()))?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let status = response.code.unwrap_or_default();
    let mut framing = Framing::UntilClosed;
    // HTTP/1.1 keeps the connection unless the response says otherwise, HTTP/1.0 closes it.
    let mut keepalive = response.version == Some(1);
    for header in response.headers.iter() {
        let value = header.value.trim_ascii();
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(invalid("its transfer encoding is not `chunked`"));
            }
            framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("content-length") {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            let number = number.ok_or_else(|| invalid("its content length is not a number"))?;
            if framing != Framing::Chunked {
                framing = Framing::Length(number);
            }
        } else if header.name.eq_ignore_ascii_case("connection") {
            keepalive =
                (keepalive || has_token(value, b"keep-alive")) && !has_token(value, b"close");
        }
    }
    if is_head || status < 200 || matches!(status, 204 | 304) {
        framing = Framing::Length(0);
    }
    Ok(Some(Head { length, status, framing, keepalive }))
}

fn has_token(value: &[u8], token: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}
