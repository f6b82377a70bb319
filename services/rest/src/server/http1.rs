//! A connection of HTTP/1.1. Between two requests it gives its buffers back.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::HttpService;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use super::admission::Admission;
use super::connection::{BoxError, CloseReason, FAREWELL, Protocol};
use super::interrupts::Stage;
use super::level::Level;
use super::progress::Progress;
use super::refusal::{self, Refusal};
use super::tracked_stream::{Source, TrackedStream};

const MESSAGE: &str = "The headers of the request did not arrive in time.";

/// A connection of HTTP/1.1.
pub(super) struct Http1<T, S: HttpService<Incoming>> {
    builder: Arc<http1::Builder>,
    state: State<T, S>,
    progress: Arc<Progress>,
    admission: Admission,
    /// The progress when it was served last.
    last: Option<u32>,
    is_stopping: bool,
}

enum State<T, S: HttpService<Incoming>> {
    /// Nothing of a request has arrived.
    Waiting(TrackedStream<T>, S),
    Serving(Box<Serving<T, S>>),
    Ended,
}

type Serving<T, S> = http1::Connection<TokioIo<TrackedStream<T>>, S>;

impl<T, S, B> Http1<T, S>
where
    T: Source,
    S: HttpService<Incoming, ResBody = B, Error = Infallible> + Unpin,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    /// A connection whose requests `service` answers.
    pub(super) fn new(
        builder: Arc<http1::Builder>,
        stream: T,
        service: S,
        progress: Arc<Progress>,
        admission: Admission,
    ) -> Self {
        let stream = TrackedStream::new(stream, Arc::clone(&progress));
        let state = State::Waiting(stream, service);
        Self { builder, state, progress, admission, last: None, is_stopping: false }
    }

    /// Pauses until something happens, with as much memory as is held then.
    fn pause(&mut self, state: State<T, S>, level: Level) -> Poll<CloseReason> {
        self.state = state;
        match self.admission.place.set(level) {
            Ok(()) => Poll::Pending,
            Err(_) => Poll::Ready(CloseReason::NoRoom),
        }
    }

    /// Whether the buffers should be given back. A client that sends one request after another
    /// keeps them, if there is enough memory.
    fn is_idle(&mut self) -> bool {
        let now = self.progress.read();
        let is_unchanged = now == std::mem::replace(&mut self.last, now);
        !self.is_stopping
            && self.progress.is_between_requests()
            && (is_unchanged || self.admission.place.is_scarce())
    }

    fn poll_serve(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Poll::Ready(CloseReason::Normal),
                State::Waiting(mut stream, service) => match stream.poll_readable(cx) {
                    Poll::Pending => {
                        let level = self.progress.idle_level();
                        return self.pause(State::Waiting(stream, service), level);
                    }
                    Poll::Ready(Ok(true)) => {
                        if self.admission.place.set(Level::Active).is_err() {
                            self.state = State::Waiting(stream, service);
                            return Poll::Ready(CloseReason::NoRoom);
                        }
                        let http = self.builder.serve_connection(TokioIo::new(stream), service);
                        self.state = State::Serving(Box::new(http));
                    }
                    Poll::Ready(_) => return Poll::Ready(CloseReason::Normal),
                },
                State::Serving(mut http) => {
                    if let Poll::Ready(result) = Pin::new(&mut *http).poll(cx) {
                        return Poll::Ready(result.into());
                    }
                    if !self.is_idle() {
                        let level = self.progress.level();
                        return self.pause(State::Serving(http), level);
                    }
                    let parts = http.into_parts();
                    let mut stream = parts.io.into_inner();
                    stream.put_back(parts.read_buf);
                    self.state = State::Waiting(stream, parts.service);
                }
            }
        }
    }
}

impl<T, S, B> Future for Http1<T, S>
where
    T: Source,
    S: HttpService<Incoming, ResBody = B, Error = Infallible> + Unpin,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    type Output = CloseReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        self.poll_serve(cx)
    }
}

impl<T, S, B> Protocol for Http1<T, S>
where
    T: Source,
    S: HttpService<Incoming, ResBody = B, Error = Infallible> + Send + Unpin,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    const LAST_CHECKS: Option<Duration> = None;

    fn stop(&mut self, stage: Stage, progress: &Progress) {
        if stage != Stage::Closing {
            progress.close_after_next_answer();
            return;
        }
        self.is_stopping = true;
        match &mut self.state {
            State::Serving(http) => Pin::new(&mut **http).graceful_shutdown(),
            State::Waiting(..) | State::Ended => self.state = State::Ended,
        }
    }

    /// Tells a client that has begun a request why its connection is closed; an idle one needs no
    /// answer.
    async fn time_out(self) {
        let (mut stream, has_begun) = match self.state {
            State::Ended => return,
            State::Waiting(stream, _) => (stream.into_inner(), false),
            State::Serving(http) => {
                let parts = http.into_parts();
                (parts.io.into_inner().into_inner(), !parts.read_buf.is_empty())
            }
        };
        if has_begun {
            refusal::send_and_close(stream, StatusCode::REQUEST_TIMEOUT, MESSAGE).await;
            return;
        }
        // TLS says when it ends, so that nobody can cut an answer short unnoticed.
        let _ = tokio::time::timeout(FAREWELL, stream.shutdown()).await;
    }

    async fn refuse(self) {
        // What follows a part of an answer would be taken for the rest of it.
        let is_within_answer = !self.progress.has_sent_all();
        let stream = match self.state {
            State::Waiting(stream, _) => stream.into_inner(),
            State::Serving(http) if !is_within_answer => {
                http.into_parts().io.into_inner().into_inner()
            }
            _ => return,
        };
        let (status, message) = Refusal::TooMany.words();
        refusal::send_and_close(stream, status, message).await;
    }
}
