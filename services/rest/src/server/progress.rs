//! Tracks whether a connection makes progress. Requests and writes only increment a counter; none
//! of them reads a clock or sets a timer.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

use hyper::Response;
use hyper::header::{CONNECTION, HeaderValue};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::Frames;

/// The progress of a connection.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Requests and writes so far. It may wrap: only a change matters.
    count: AtomicU32,
    /// Requests that are being answered, which have timeouts of their own. HTTP/2 has several.
    answering: AtomicU32,
    /// Bytes of answers that were written.
    written: AtomicU64,
    /// The client has not made room for what is to be written.
    is_blocked: AtomicBool,
    /// Answers of HTTP/2 that are being sent: without room for them, nothing is written.
    sending: AtomicU32,
    /// The connection is to be closed after the next answer.
    closing: AtomicBool,
}

impl Progress {
    /// Tracks a request that is answered by `work`.
    pub(super) fn track<F>(self: &Arc<Self>, work: F) -> TrackedWork<F> {
        self.advance();
        self.answering.fetch_add(1, Ordering::Relaxed);
        TrackedWork { work, progress: Arc::clone(self) }
    }

    /// Has the connection be closed after its next answer.
    pub(super) fn close_after_next_answer(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// A number that changes with every progress; `None` while a request is being answered.
    pub(super) fn read(&self) -> Option<u32> {
        let answering = self.answering.load(Ordering::Relaxed);
        (answering == 0).then(|| self.count.load(Ordering::Relaxed))
    }

    /// How many bytes of answers were written; `None` unless more are waiting for the client.
    pub(super) fn unread(&self) -> Option<u64> {
        let is_waiting =
            self.is_blocked.load(Ordering::Relaxed) || self.sending.load(Ordering::Relaxed) > 0;
        is_waiting.then(|| self.written.load(Ordering::Relaxed))
    }

    /// Tracks an answer of HTTP/2 until the guard is dropped.
    pub(super) fn sending(self: &Arc<Self>) -> Sending {
        self.sending.fetch_add(1, Ordering::Relaxed);
        Sending(Arc::clone(self))
    }

    fn advance(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// An answer of HTTP/2 that is being sent.
#[derive(Debug)]
pub(super) struct Sending(Arc<Progress>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.sending.fetch_sub(1, Ordering::Relaxed);
    }
}

pin_project! {
    /// A request that is being answered.
    #[derive(Debug)]
    pub(super) struct TrackedWork<F> {
        #[pin]
        work: F,
        progress: Arc<Progress>,
    }

    impl<F> PinnedDrop for TrackedWork<F> {
        fn drop(this: Pin<&mut Self>) {
            this.progress.answering.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<F: Future<Output = Response<B>>, B> Future for TrackedWork<F> {
    type Output = Result<F::Output, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Poll::Ready(mut answer) = this.work.poll(cx) else { return Poll::Pending };
        if this.progress.closing.load(Ordering::Relaxed) {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(answer))
    }
}

/// A stream that reports its writes.
#[derive(Debug)]
pub(super) struct TrackedStream<T> {
    stream: T,
    progress: Arc<Progress>,
    /// With HTTP/2, only what is written of bodies is progress: a client that reads nothing can
    /// have pings answered for as long as it likes.
    frames: Option<Frames>,
}

impl<T> TrackedStream<T> {
    pub(super) fn new(stream: T, progress: Arc<Progress>) -> Self {
        Self { stream, progress, frames: None }
    }

    /// A stream that carries HTTP/2.
    pub(super) fn of_frames(stream: T, progress: Arc<Progress>) -> Self {
        Self { stream, progress, frames: Some(Frames::default()) }
    }

    pub(super) fn into_inner(self) -> T {
        self.stream
    }

    fn track(&mut self, written: &Poll<io::Result<usize>>, slices: &[IoSlice<'_>]) {
        self.progress.is_blocked.store(written.is_pending(), Ordering::Relaxed);
        let Poll::Ready(Ok(mut length)) = *written else { return };
        let all = length as u64;
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
            self.progress.written.fetch_add(all, Ordering::Relaxed);
            self.progress.advance();
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for TrackedStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TrackedStream<T> {
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
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
