//! A stream that reports what is read and written to the progress of its connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::frames::Frames;
use super::progress::Progress;

/// A stream that may have received bytes that cannot be read yet.
pub(super) trait Source: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// How many.
    fn held_back(&self) -> usize;

    /// What was received has been read.
    fn note_read(&mut self);
}

impl Source for TcpStream {
    fn held_back(&self) -> usize {
        0
    }

    fn note_read(&mut self) {}
}

/// A stream that reports what is read and written.
#[derive(Debug)]
pub(super) struct TrackedStream<T> {
    stream: T,
    progress: Arc<Progress>,
    /// With HTTP/2, only what is written of bodies is progress: a client that reads nothing can
    /// have pings answered for as long as it likes.
    frames: Option<Frames>,
    /// Bytes that are read before all others.
    first: Bytes,
}

impl<T: Source> TrackedStream<T> {
    pub(super) fn new(stream: T, progress: Arc<Progress>) -> Self {
        Self { stream, progress, frames: None, first: Bytes::new() }
    }

    /// A stream that carries HTTP/2.
    pub(super) fn of_frames(stream: T, progress: Arc<Progress>) -> Self {
        Self { stream, progress, frames: Some(Frames::default()), first: Bytes::new() }
    }

    /// Has bytes be read again that were read before.
    pub(super) fn put_back(&mut self, bytes: Bytes) {
        self.first = bytes;
    }

    /// Waits, without a buffer, until there is something to read; whether there is, or the stream has
    /// ended.
    pub(super) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.first.is_empty() {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            ready!(self.poll_more(cx, &mut buffer))?;
            self.first = Bytes::copy_from_slice(buffer.filled());
        }
        Poll::Ready(Ok(!self.first.is_empty()))
    }

    fn poll_more(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        let received = into.filled().len() - before;
        if received > 0 {
            self.stream.note_read();
        }
        self.progress.note_read(received, self.stream.held_back());
        read
    }

    pub(super) fn into_inner(self) -> T {
        self.stream
    }

    fn track(&mut self, written: &Poll<io::Result<usize>>, slices: &[IoSlice<'_>]) {
        self.progress.note_blocked(written.is_pending());
        let Poll::Ready(Ok(mut length)) = *written else { return };
        let all = length;
        let is_progress = self.frames.as_mut().is_none_or(|frames| {
            let mut found = false;
            for slice in slices {
                let part = &slice[..length.min(slice.len())];
                length -= part.len();
                found |= frames.have_data(part);
            }
            found
        });
        if is_progress {
            self.progress.note_written(all);
        }
    }
}

impl<T: Source> AsyncRead for TrackedStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return self.poll_more(cx, into);
        }
        let length = self.first.len().min(into.remaining());
        into.put_slice(&self.first[..length]);
        self.first.advance(length);
        self.progress.note_read(length, self.stream.held_back());
        // The rest of it is likely to be there.
        match self.poll_more(cx, into) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl<T: Source> AsyncWrite for TrackedStream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.track(&written, &[IoSlice::new(bytes)]);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.track(&written, slices);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        // TLS takes bytes before it can send them.
        self.progress.note_blocked(flushed.is_pending());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.progress.note_blocked(ended.is_pending());
        ended
    }
}
