//! The bodies of answers: bytes at once, or a list that is read while it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::task::{JoinError, JoinHandle};

use crate::store::StoreError;

/// Chunks that are made on a thread that may wait.
pub(crate) type Source = Box<dyn Iterator<Item = Result<Bytes, StoreError>> + Send>;

/// The body of an answer.
#[derive(Debug)]
pub struct Content(Kind);

#[derive(Debug)]
enum Kind {
    Whole(Bytes),
    Stream(Stream),
}

/// A body that is made chunk by chunk, each when the one before is being sent: however
/// long it is and however slow its reader, one chunk is in memory.
struct Stream {
    state: State,
    /// Bytes to come, where that is known.
    left: Option<u64>,
}

enum State {
    Waiting(Source),
    Making(JoinHandle<Option<(Source, Result<Bytes, StoreError>)>>),
    Ended,
}

/// Why a body broke off. The connection is closed then, so that its reader notices.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The service is being stopped.
    #[error("reading was given up: {0}")]
    Stopped(#[from] JoinError),
}

impl Content {
    /// A body of `length` bytes, where that is known, that is made while it is sent.
    pub(crate) fn stream(chunks: Source, length: Option<u64>) -> Self {
        Self(Kind::Stream(Stream { state: State::Waiting(chunks), left: length }))
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = ContentError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ContentError>>> {
        match &mut self.get_mut().0 {
            Kind::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Stream(stream) => stream.poll_chunk(cx).map(|chunk| {
                chunk.map(|chunk| {
                    chunk.map(Frame::data).inspect_err(|error| {
                        tracing::error!(%error, "an answer broke off");
                    })
                })
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Stream(stream) => matches!(stream.state, State::Ended),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(stream) => stream.left.map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}

impl Stream {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ContentError>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::Waiting(mut chunks) => {
                    let make = move || chunks.next().map(|chunk| (chunks, chunk));
                    self.state = State::Making(tokio::task::spawn_blocking(make));
                }
                State::Making(mut making) => {
                    let Poll::Ready(made) = Pin::new(&mut making).poll(cx) else {
                        self.state = State::Making(making);
                        return Poll::Pending;
                    };
                    let Some((chunks, chunk)) = made? else { return Poll::Ready(None) };
                    let chunk = chunk?;
                    self.left = self.left.map(|left| left.saturating_sub(chunk.len() as u64));
                    self.state = State::Waiting(chunks);
                    return Poll::Ready(Some(Ok(chunk)));
                }
            }
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("left", &self.left).finish_non_exhaustive()
    }
}
