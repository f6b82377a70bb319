//! Writes the bytes of a request: its templates filled with a virtual user's variables.

use std::io::Write;

use hyper::Method;
use hyper::header::{AUTHORIZATION, HOST};
use support::token::Token;

use super::exchange::Keep;
use super::script::{Request, Variables, in_header, in_path};

/// The parts of a request that are the same each time it is sent.
#[derive(Debug)]
pub(super) struct PreparedRequest {
    /// The method and a space.
    method: Vec<u8>,
    /// What follows the path, up to the script's headers.
    fixed: Vec<u8>,
    pub(super) is_head: bool,
    pub(super) keep: Keep,
}

/// A buffer for a virtual user's requests, which is used again for each.
#[derive(Debug, Default)]
pub(super) struct RequestBuffer {
    pub(super) bytes: Vec<u8>,
    body: Vec<u8>,
}

impl PreparedRequest {
    pub(super) fn new(
        request: &Request,
        authority: &str,
        token: Option<&Token>,
        keepalive: bool,
    ) -> Self {
        let mut fixed = b" HTTP/1.1\r\n".to_vec();
        let has = |header| request.headers.iter().any(|(name, _)| *name == header);
        if let Some(token) = token.filter(|_| !has(AUTHORIZATION)) {
            fixed.extend_from_slice(b"authorization: ");
            fixed.extend_from_slice(token.header().as_bytes());
            fixed.extend_from_slice(b"\r\n");
        }
        if !has(HOST) {
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

    /// Writes the request that this was prepared from into `buffer`.
    pub(super) fn write(
        &self,
        request: &Request,
        variables: &Variables,
        buffer: &mut RequestBuffer,
    ) -> Result<(), String> {
        let RequestBuffer { bytes, body } = buffer;
        bytes.clear();
        bytes.extend_from_slice(&self.method);
        let path = request.path.fill_checked(variables, bytes, in_path);
        path.map_err(|error| error.to_string())?;
        bytes.extend_from_slice(&self.fixed);
        for (name, value) in &request.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            let value = value.fill_checked(variables, bytes, in_header);
            value.map_err(|error| error.to_string())?;
            bytes.extend_from_slice(b"\r\n");
        }
        body.clear();
        if let Some(text) = &request.body {
            text.fill(variables, body);
        }
        if request.body.is_some() || expects_a_body(&request.method) {
            let written = write!(bytes, "content-length: {}\r\n", body.len());
            written.expect("writing to memory does not fail");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        Ok(())
    }
}

/// Whether requests with a method have a content length even without a body (RFC 9110,
/// section 8.6).
fn expects_a_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}
