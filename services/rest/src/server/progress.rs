//! Notices whether a connection makes progress. Requests and writes only increment a counter;
//! none of them reads a clock or sets a timer.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};

use hyper::Response;
use hyper::header::{CONNECTION, HeaderValue};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What has happened on a connection.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Requests begun and writes done. It may wrap: only a difference matters.
    count: AtomicU32,
    /// A request is being answered, which has limits of its own.
    working: AtomicBool,
    /// The next answer is the last one.
    leaving: AtomicBool,
}

impl Progress {
    /// Notes that a request is being answered for as long as `work` lives.
    pub(super) fn work<F>(self: &Arc<Self>, work: F) -> Working<F> {
        self.advance();
        self.working.store(true, Ordering::Relaxed);
        Working { work, progress: Arc::clone(self) }
    }

    /// Lets the connection close with its next answer.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// A number that changes with everything that happens; `None` during work.
    pub(super) fn read(&self) -> Option<u32> {
        let working = self.working.load(Ordering::Relaxed);
        (!working).then(|| self.count.load(Ordering::Relaxed))
    }

    fn advance(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

pin_project! {
    /// A request that is being answered.
    #[derive(Debug)]
    pub(super) struct Working<F> {
        #[pin]
        work: F,
        progress: Arc<Progress>,
    }

    impl<F> PinnedDrop for Working<F> {
        fn drop(this: Pin<&mut Self>) {
            this.progress.working.store(false, Ordering::Relaxed);
        }
    }
}

impl<F: Future<Output = Response<B>>, B> Future for Working<F> {
    type Output = Result<F::Output, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Poll::Ready(mut answer) = this.work.poll(cx) else { return Poll::Pending };
        if this.progress.leaving.load(Ordering::Relaxed) {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(answer))
    }
}

/// A stream whose writes are noted.
#[derive(Debug)]
pub(super) struct Watched {
    stream: TcpStream,
    progress: Arc<Progress>,
}

impl Watched {
    pub(super) fn new(stream: TcpStream, progress: Arc<Progress>) -> Self {
        Self { stream, progress }
    }

    pub(super) fn into_inner(self) -> TcpStream {
        self.stream
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(_)) = written {
            self.progress.advance();
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(written)
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
