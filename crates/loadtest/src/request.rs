//! Writes the bytes of a request: its templates filled with a user's values.

use std::io::Write;

use hyper::Method;
use hyper::header::{AUTHORIZATION, HOST};
use support::token::Token;

use super::exchange::Keep;
use super::script::{Request, Variables, in_header, in_path};

/// A request of a scenario, with what is the same each time it is sent.
#[derive(Debug)]
pub(super) struct Prepared {
    /// `GET `
    method: Vec<u8>,
    /// What follows the path, up to the headers with variables in them.
    fixed: Vec<u8>,
    pub(super) is_head: bool,
    pub(super) keep: Keep,
}

/// Where a user's requests are written, again and again.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    body: Vec<u8>,
}

impl Prepared {
    pub(super) fn new(
        request: &Request,
        authority: &str,
        token: Option<&Token>,
        keepalive: bool,
    ) -> Self {
        let mut fixed = b" HTTP/1.1\r\n".to_vec();
        let says = |header| request.headers.iter().any(|(name, _)| *name == header);
        if let Some(token) = token.filter(|_| !says(AUTHORIZATION)) {
            fixed.extend_from_slice(b"authorization: ");
            fixed.extend_from_slice(token.header().as_bytes());
            fixed.extend_from_slice(b"\r\n");
        }
        if !says(HOST) {
            fixed.extend_from_slice(format!("host: {authority}\r\n").as_bytes());
        }
        if !keepalive {
            fixed.extend_from_slice(b"connection: close\r\n");
        }
        Self {
            method: format!("{} ", request.method).into_bytes(),
            fixed,
            is_head: request.method == Method::HEAD,
            keep: request.keep(),
        }
    }

    /// Writes `request`, of which this was made, into `buffer`.
    pub(super) fn write(
        &self,
        request: &Request,
        variables: &Variables,
        buffer: &mut Buffer,
    ) -> Result<(), String> {
        let Buffer { bytes, body } = buffer;
        bytes.clear();
        bytes.extend_from_slice(&self.method);
        let path = request.path.fill_checked(variables, bytes, in_path);
        path.map_err(|unfit| unfit.to_string())?;
        bytes.extend_from_slice(&self.fixed);
        for (name, value) in &request.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            let value = value.fill_checked(variables, bytes, in_header);
            value.map_err(|unfit| unfit.to_string())?;
            bytes.extend_from_slice(b"\r\n");
        }
        body.clear();
        if let Some(text) = &request.body {
            text.fill(variables, body);
        }
        if request.body.is_some() || expects_a_body(&request.method) {
            let written = write!(bytes, "content-length: {}\r\n", body.len());
            written.expect("memory takes everything");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        Ok(())
    }
}

/// Methods whose requests say how long their body is even where there is none
/// (RFC 9110, section 8.6).
fn expects_a_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}
