//! Performs one exchange: sends a request's bytes and receives the response, framed as RFC 9112
//! (section 6) says.
//!
//! This is not an HTTP client but the hot path of the load generator. A general client hands
//! each request from one task to another and builds maps of headers that nobody reads; that
//! costs more than all the rest of a user's work (docs/performance.md has the figures).

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Room for what is read at once.
const READ: usize = 16 << 10;
/// A longer head is not one of an answer that anybody measures.
const MOST_HEAD: usize = 64 << 10;
/// A longer body cannot be searched for values.
const MOST_KEPT: usize = 256 << 20;
const MOST_HEADERS: usize = 100;
const MOST_CHUNK_LINE: usize = 1 << 10;

/// A connection and what has been read from it.
#[derive(Debug)]
pub(super) struct Exchange {
    stream: TcpStream,
    received: BytesMut,
}

/// What of an answer is kept for extractors and assertions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keep {
    pub(super) head: bool,
    pub(super) body: bool,
}

/// A whole answer. Text and body are empty where they were not to be kept.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Its status line and headers.
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
    /// Bytes of the body.
    pub(super) bytes: u64,
    /// Whether the connection can be used again.
    pub(super) reusable: bool,
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClosed,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    length: usize,
    status: u16,
    framing: Framing,
    keepalive: bool,
}

impl Exchange {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, received: BytesMut::with_capacity(READ) }
    }

    /// Whether the other side has neither closed the connection nor said something that
    /// nobody asked for. Costs no system call while nothing has come.
    pub(super) fn is_idle(&self) -> bool {
        let mut byte = [0];
        let read = self.stream.try_read(&mut byte);
        self.received.is_empty() && read.is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and reads its whole answer into `answer`.
    pub(super) async fn run(
        &mut self,
        request: &[u8],
        is_head: bool,
        keep: Keep,
        answer: &mut Answer,
    ) -> Result<(), String> {
        self.stream.write_all(request).await.map_err(broken)?;
        let head = self.head(is_head).await?;
        answer.status = head.status;
        answer.head.clear();
        if keep.head {
            answer.head.extend_from_slice(&self.received[..head.length]);
        }
        self.received.advance(head.length);
        answer.body.clear();
        let kept = keep.body.then_some(&mut answer.body);
        answer.bytes = match head.framing {
            Framing::Length(length) => self.take(length, kept).await?,
            Framing::Chunked => self.chunks(kept).await?,
            Framing::UntilClosed => self.rest(kept).await?,
        };
        answer.reusable = head.keepalive && head.framing != Framing::UntilClosed;
        Ok(())
    }

    /// Reads until there is a whole head of a final answer.
    async fn head(&mut self, is_head: bool) -> Result<Head, String> {
        loop {
            match head(&self.received, is_head)? {
                // An answer that only says that another will come, which 101 does not.
                Some(head) if head.status < 200 && head.status != 101 => {
                    self.received.advance(head.length);
                }
                Some(head) => return Ok(head),
                None if self.received.len() > MOST_HEAD => {
                    return Err(format!("the answer's head is longer than {MOST_HEAD} bytes"));
                }
                None => self.fill().await?,
            }
        }
    }

    /// Reads `length` bytes of a body.
    async fn take(&mut self, length: u64, mut kept: Option<&mut Vec<u8>>) -> Result<u64, String> {
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

    async fn chunks(&mut self, mut kept: Option<&mut Vec<u8>>) -> Result<u64, String> {
        let mut total = 0;
        loop {
            let size = self.chunk_size().await?;
            if size == 0 {
                break;
            }
            total += self.take(size, kept.as_deref_mut()).await?;
            if !self.line().await?.is_empty() {
                return Err(no_http("a chunk is longer than it says"));
            }
        }
        // What follows the last chunk is headers, up to an empty line.
        while !self.line().await?.is_empty() {}
        Ok(total)
    }

    async fn chunk_size(&mut self) -> Result<u64, String> {
        let line = self.line().await?;
        // What stands after a semicolon is an extension, which means nothing here.
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let digits = std::str::from_utf8(digits).unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16).ok();
        size.ok_or_else(|| no_http("a chunk begins with no length"))
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<Vec<u8>, String> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line = self.received.split_to(end + 1);
                return Ok(line.trim_ascii_end().to_vec());
            }
            if self.received.len() > MOST_CHUNK_LINE {
                return Err(no_http("a line of a chunk does not end"));
            }
            self.fill().await?;
        }
    }

    async fn rest(&mut self, mut kept: Option<&mut Vec<u8>>) -> Result<u64, String> {
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
        self.received.reserve(READ);
        match self.stream.read_buf(&mut self.received).await.map_err(broken)? {
            0 => Err("connection closed before the end of the answer".into()),
            _ => Ok(()),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the end of the error's way")]
fn broken(error: io::Error) -> String {
    format!("connection broke: {error}")
}

fn no_http(why: &str) -> String {
    format!("the answer is no HTTP: {why}")
}

fn keep(kept: &mut Option<&mut Vec<u8>>, bytes: &[u8]) -> Result<(), String> {
    if let Some(kept) = kept {
        if kept.len() + bytes.len() > MOST_KEPT {
            return Err("the answer is too long to be searched".into());
        }
        kept.extend_from_slice(bytes);
    }
    Ok(())
}

/// Reads a head, if all of it is there.
fn head(received: &[u8], is_head: bool) -> Result<Option<Head>, String> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let parsed = answer.parse(received).map_err(|error| no_http(&error.to_string()))?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let status = answer.code.unwrap_or_default();
    let mut framing = Framing::UntilClosed;
    // HTTP/1.0 closes unless it says otherwise, HTTP/1.1 keeps.
    let mut keepalive = answer.version == Some(1);
    for header in answer.headers.iter() {
        let value = header.value.trim_ascii();
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(no_http("its transfer encoding is not `chunked`"));
            }
            framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("content-length") {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            let number = number.ok_or_else(|| no_http("its length is no number"))?;
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What an exchange makes of an answer that comes in pieces of `size` bytes, after
    /// which the connection is closed.
    async fn answer(text: &str, size: usize, is_head: bool) -> Result<Answer, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut other, _) = listener.accept().await.unwrap();
        other.set_nodelay(true).unwrap();
        let pieces: Vec<Vec<u8>> = text.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
        let served = tokio::spawn(async move {
            let mut request = [0; 3];
            other.read_exact(&mut request).await.unwrap();
            assert_eq!(&request, b"ask");
            for piece in pieces {
                other.write_all(&piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let (mut exchange, mut answer) = (Exchange::new(stream), Answer::default());
        let keep = Keep { head: true, body: true };
        exchange.run(b"ask", is_head, keep, &mut answer).await?;
        served.await.unwrap();
        Ok(answer)
    }

    /// The same however the answer is cut.
    async fn body(text: &str) -> Result<(u16, String, bool), String> {
        let mut all = Vec::new();
        for size in [1, 7, text.len()] {
            let answer = answer(text, size, false).await?;
            assert_eq!(answer.bytes, answer.body.len() as u64);
            let body = String::from_utf8(answer.body).unwrap();
            all.push((answer.status, body, answer.reusable));
        }
        assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
        Ok(all.remove(0))
    }

    #[tokio::test]
    async fn bodies_are_as_long_as_their_answers_say() {
        let plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(body(plain).await, Ok((200, "hello".into(), true)));
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n\
            3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n";
        assert_eq!(body(chunked).await, Ok((200, "hello".into(), true)));
        let closed = "HTTP/1.1 404 Not Found\r\n\r\nhello";
        assert_eq!(body(closed).await, Ok((404, "hello".into(), false)));
        let none = "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(body(none).await, Ok((204, String::new(), true)));
        let twice =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(body(twice).await, Ok((201, String::new(), true)));
    }

    #[tokio::test]
    async fn the_answer_to_head_has_no_body() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let answer = answer(text, text.len(), true).await.unwrap();
        assert_eq!((answer.bytes, answer.reusable), (0, true));
        assert_eq!(answer.head, text.as_bytes());
    }

    #[tokio::test]
    async fn a_connection_is_kept_as_the_answer_says() {
        let answer = |version, connection| {
            let text = format!(
                "HTTP/{version} 200 OK\r\nConnection: {connection}\r\ncontent-length: 0\r\n\r\n"
            );
            async move { body(&text).await.unwrap().2 }
        };
        assert!(!answer("1.1", "x, Close").await);
        assert!(answer("1.1", "x").await);
        assert!(answer("1.0", "keep-alive").await);
        assert!(!answer("1.0", "x").await);
    }

    #[tokio::test]
    async fn what_is_no_whole_answer_is_an_error() {
        for (text, why) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "closed before the end"),
            ("HTTP/1.1 200 OK\r\nContent-Le", "closed before the end"),
            ("", "closed before the end"),
            ("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "length is no number"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer encoding"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "no length"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
                "longer than it says",
            ),
            ("SSH-2.0-OpenSSH_9.2\r\n", "no HTTP"),
        ] {
            let error = body_error(text).await;
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }

    async fn body_error(text: &str) -> String {
        answer(text, text.len().max(1), false).await.unwrap_err()
    }
}
