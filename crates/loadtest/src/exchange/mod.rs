//! Performs one exchange: sends a request's bytes and receives the response, framed as RFC 9112
//! (section 6) says.
//!
//! This is not an HTTP client but the hot path of the load generator. A general client hands
//! each request from one task to another and builds maps of headers that nobody reads; that
//! costs more than all the rest of a virtual user's work (docs/performance.md has the figures).

mod head;

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use head::{Framing, Head};

/// How much is read at once.
const READ_SIZE: usize = 16 << 10;
const MAX_HEAD: usize = 64 << 10;
/// The longest body that is kept for extractors and assertions.
const MAX_KEPT_BODY: usize = 256 << 20;
const MAX_CHUNK_LINE: usize = 1 << 10;

/// A connection and what has been read from it.
#[derive(Debug)]
pub(super) struct Exchange {
    stream: TcpStream,
    received: BytesMut,
}

/// Which parts of a response are kept for extractors and assertions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keep {
    pub(super) head: bool,
    pub(super) body: bool,
}

/// A complete response. Head and body are empty unless they were to be kept.
#[derive(Debug, Default)]
pub(super) struct Response {
    pub(super) status: u16,
    /// The status line and headers.
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
    /// Bytes of the body, kept or not.
    pub(super) bytes: u64,
    /// Whether the connection can be used again.
    pub(super) reusable: bool,
}

impl Exchange {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, received: BytesMut::with_capacity(READ_SIZE) }
    }

    /// Whether the server has neither closed the connection nor sent anything unasked. Costs
    /// no system call while nothing has arrived.
    pub(super) fn is_idle(&self) -> bool {
        let mut byte = [0];
        let read = self.stream.try_read(&mut byte);
        self.received.is_empty() && read.is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and reads the complete response into `response`.
    pub(super) async fn run(
        &mut self,
        request: &[u8],
        is_head: bool,
        keep: Keep,
        response: &mut Response,
    ) -> Result<(), String> {
        self.stream.write_all(request).await.map_err(broken)?;
        let head = self.final_head(is_head).await?;
        response.status = head.status;
        response.head.clear();
        if keep.head {
            response.head.extend_from_slice(&self.received[..head.length]);
        }
        self.received.advance(head.length);
        response.body.clear();
        let kept = keep.body.then_some(&mut response.body);
        response.bytes = match head.framing {
            Framing::Length(length) => self.read_length(length, kept).await?,
            Framing::Chunked => self.read_chunks(kept).await?,
            Framing::UntilClosed => self.read_to_end(kept).await?,
        };
        response.reusable = head.keepalive && head.framing != Framing::UntilClosed;
        Ok(())
    }

    /// Reads until there is the head of the final response.
    async fn final_head(&mut self, is_head: bool) -> Result<Head, String> {
        loop {
            match head::parse(&self.received, is_head)? {
                // An interim response, which 101 is not: another follows.
                Some(head) if head.status < 200 && head.status != 101 => {
                    self.received.advance(head.length);
                }
                Some(head) => return Ok(head),
                None if self.received.len() > MAX_HEAD => {
                    return Err(format!("the response's head is longer than {MAX_HEAD} bytes"));
                }
                None => self.fill().await?,
            }
        }
    }

    async fn read_length(
        &mut self,
        length: u64,
        mut kept: Option<&mut Vec<u8>>,
    ) -> Result<u64, String> {
        let mut left = length;
        while left > 0 {
            if self.received.is_empty() {
                self.fill().await?;
            }
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(self.received.len());
            keep(&mut kept, &self.received[..now])?;
            self.received.advance(now);
            left -= now as u64;
        }
        Ok(length)
    }

    async fn read_chunks(&mut self, mut kept: Option<&mut Vec<u8>>) -> Result<u64, String> {
        let mut total = 0;
        loop {
            let size = self.chunk_size().await?;
            if size == 0 {
                break;
            }
            total += self.read_length(size, kept.as_deref_mut()).await?;
            if !self.line().await?.is_empty() {
                return Err(invalid("a chunk is longer than its size"));
            }
        }
        // Trailers follow the last chunk, up to an empty line.
        while !self.line().await?.is_empty() {}
        Ok(total)
    }

    async fn chunk_size(&mut self) -> Result<u64, String> {
        let line = self.line().await?;
        // Extensions follow a semicolon and are ignored.
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let digits = std::str::from_utf8(digits).unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16).ok();
        size.ok_or_else(|| invalid("a chunk has no size"))
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<Vec<u8>, String> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line = self.received.split_to(end + 1);
                return Ok(line.trim_ascii_end().to_vec());
            }
            if self.received.len() > MAX_CHUNK_LINE {
                return Err(invalid("a chunk's line does not end"));
            }
            self.fill().await?;
        }
    }

    async fn read_to_end(&mut self, mut kept: Option<&mut Vec<u8>>) -> Result<u64, String> {
        let mut total = 0;
        loop {
            total += self.received.len() as u64;
            keep(&mut kept, &self.received)?;
            self.received.clear();
            if self.stream.read_buf(&mut self.received).await.map_err(broken)? == 0 {
                return Ok(total);
            }
        }
    }

    /// Reads more.
    async fn fill(&mut self) -> Result<(), String> {
        self.received.reserve(READ_SIZE);
        match self.stream.read_buf(&mut self.received).await.map_err(broken)? {
            0 => Err("connection closed before the end of the response".into()),
            _ => Ok(()),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes it by value")]
fn broken(error: io::Error) -> String {
    format!("connection broke: {error}")
}

fn invalid(why: &str) -> String {
    format!("invalid HTTP response: {why}")
}

fn keep(kept: &mut Option<&mut Vec<u8>>, bytes: &[u8]) -> Result<(), String> {
    if let Some(kept) = kept {
        if kept.len() + bytes.len() > MAX_KEPT_BODY {
            return Err(format!("the response's body is longer than {MAX_KEPT_BODY} bytes"));
        }
        kept.extend_from_slice(bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
