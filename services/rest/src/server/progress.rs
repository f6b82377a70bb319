//! Tracks whether a connection makes progress. Requests and writes only increment a counter; none
//! of them reads a clock or sets a timer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Request, Response};
use pin_project_lite::pin_project;

use super::level::Level;

/// The progress of a connection.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Requests and writes so far. It may wrap: only a change matters.
    count: AtomicU32,
    /// Requests that are being answered, which have timeouts of their own. HTTP/2 has several.
    answering: AtomicU32,
    /// Many requests have been answered at the same time. HTTP/2 keeps the tables for them.
    has_had_many: AtomicBool,
    /// Bytes of answers that were written.
    written: AtomicU64,
    /// The client has not made room for what is to be written.
    is_blocked: AtomicBool,
    /// Answers of HTTP/2 that are being sent: without room for them, nothing is written.
    sending: AtomicU32,
    /// The connection is to be closed after the next answer.
    closing: AtomicBool,
    /// Bytes that were received since the last request began.
    received: AtomicU32,
    /// Bytes that were received and cannot be read before others are: a part of a record of TLS.
    held_back: AtomicU32,
    /// Answers whose bodies have not ended.
    unsent: AtomicU32,
    /// The last request has a body, or may have one.
    has_body: AtomicBool,
    /// The last request has a long head.
    has_long_head: AtomicBool,
}

/// A head of more bytes is long.
const LONG_HEAD: u32 = 4 << 10;
/// A head with more headers is long, too: there is a table of them.
const MANY_HEADERS: usize = 24;
/// More requests at the same time are many.
const MANY_REQUESTS: u32 = 8;

impl Progress {
    /// Notes what a request takes that is about to be answered.
    pub(super) fn begin<B: Body>(&self, request: &Request<B>) {
        let received = self.received.swap(0, Ordering::Relaxed);
        let is_long = received > LONG_HEAD || request.headers().len() > MANY_HEADERS;
        self.has_long_head.store(is_long, Ordering::Relaxed);
        self.has_body.store(!request.body().is_end_stream(), Ordering::Relaxed);
    }

    /// Tracks a request that is answered by `work`.
    pub(super) fn track<F>(self: &Arc<Self>, work: F) -> TrackedWork<F> {
        self.advance();
        let answering = self.answering.fetch_add(1, Ordering::Relaxed) + 1;
        if answering > MANY_REQUESTS {
            self.has_had_many.store(true, Ordering::Relaxed);
        }
        TrackedWork { work, progress: Some(Arc::clone(self)) }
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

    /// How much memory the connection holds, unless it is idle.
    pub(super) fn level(&self) -> Level {
        let answering = self.answering.load(Ordering::Relaxed) > 0;
        let is_heavy = self.is_blocked.load(Ordering::Relaxed)
            || self.has_had_many.load(Ordering::Relaxed)
            || self.received.load(Ordering::Relaxed) > LONG_HEAD
            || self.held_back.load(Ordering::Relaxed) > LONG_HEAD
            || answering && self.has_long_head.load(Ordering::Relaxed);
        if is_heavy { Level::Heavy } else { Level::Active }
    }

    /// How much it holds while nothing of a request has arrived.
    pub(super) fn idle_level(&self) -> Level {
        let is_heavy = self.held_back.load(Ordering::Relaxed) > LONG_HEAD;
        if is_heavy { Level::Heavy } else { Level::Idle }
    }

    /// Whether all that was answered so far has been sent.
    pub(super) fn has_sent_all(&self) -> bool {
        let counts = [&self.unsent, &self.sending];
        counts.iter().all(|count| count.load(Ordering::Relaxed) == 0)
            && !self.is_blocked.load(Ordering::Relaxed)
    }

    /// Whether the connection of HTTP/1.1 is between two requests. With a body, one may not have
    /// ended that is answered: the rest of it must not be taken for a request.
    pub(super) fn is_between_requests(&self) -> bool {
        self.answering.load(Ordering::Relaxed) == 0
            && self.has_sent_all()
            && self.received.load(Ordering::Relaxed) == 0
            && !self.has_body.load(Ordering::Relaxed)
    }

    /// Notes that bytes were received, or that those that were cannot be read yet.
    pub(super) fn note_read(&self, received: usize, held_back: usize) {
        let small = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
        if received > 0 {
            self.received.fetch_add(small(received), Ordering::Relaxed);
        }
        self.held_back.store(small(held_back), Ordering::Relaxed);
    }

    /// Notes whether the client has made room for what is to be written.
    pub(super) fn note_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
    }

    /// Notes that bytes of answers were written.
    pub(super) fn note_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        self.advance();
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
        // Until there is an answer.
        progress: Option<Arc<Progress>>,
    }

    impl<F> PinnedDrop for TrackedWork<F> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(progress) = this.project().progress {
                progress.answering.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

pin_project! {
    /// The body of an answer.
    #[derive(Debug)]
    pub(super) struct TrackedBody<B> {
        #[pin]
        body: B,
        progress: Arc<Progress>,
    }

    impl<B> PinnedDrop for TrackedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            this.progress.unsent.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<B: Body> Body for TrackedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<F: Future<Output = Response<B>>, B> Future for TrackedWork<F> {
    type Output = Result<Response<TrackedBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Poll::Ready(mut answer) = this.work.poll(cx) else { return Poll::Pending };
        let progress = this.progress.take().expect("polled after completion");
        progress.unsent.fetch_add(1, Ordering::Relaxed);
        progress.answering.fetch_sub(1, Ordering::Relaxed);
        if progress.closing.load(Ordering::Relaxed) {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // A body ends with its answer: what follows it counts as the next request.
        if progress.has_body.load(Ordering::Relaxed) {
            progress.received.store(0, Ordering::Relaxed);
        }
        Poll::Ready(Ok(answer.map(|body| TrackedBody { body, progress })))
    }
}
