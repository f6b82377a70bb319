//! The bodies of answers: bytes in memory, or a list that is read while it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use store::StoreError;
use tokio::task::{JoinError, JoinHandle};

use super::budget::BudgetPermit;

/// The chunks of a body. They are read on a thread that may block.
pub(crate) type ChunkSource = Box<dyn Iterator<Item = Result<Bytes, StoreError>> + Send>;

/// The body of an answer.
#[derive(Debug)]
pub struct Content(Inner);

#[derive(Debug)]
enum Inner {
    Whole(Bytes),
    Stream(Stream),
}

/// A body that is read chunk by chunk, each while the previous one is sent: one chunk is in
/// memory, however long the body and however slow its reader is.
struct Stream {
    state: StreamState,
    /// The bytes that are left, if known.
    left: Option<u64>,
    /// Its share of the memory for answers.
    permit: Option<BudgetPermit>,
}

enum StreamState {
    Idle(ChunkSource),
    Reading(JoinHandle<Option<(ChunkSource, Result<Bytes, StoreError>)>>),
    Ended,
}

/// Why a body is incomplete. The connection is closed then, so that the client notices.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The service is being stopped.
    #[error("reading was cancelled: {0}")]
    Stopped(#[from] JoinError),
}

impl Content {
    /// A body that is read while it is sent, of `length` bytes if known.
    pub(crate) fn stream(chunks: ChunkSource, length: Option<u64>) -> Self {
        Self(Inner::Stream(Stream { state: StreamState::Idle(chunks), left: length, permit: None }))
    }

    /// Holds a share of the memory for answers until it has been sent.
    pub(crate) fn with_permit(self, permit: Option<BudgetPermit>) -> Self {
        Self(match self.0 {
            Inner::Whole(bytes) => Inner::Whole(held(bytes, permit.as_ref())),
            Inner::Stream(stream) => Inner::Stream(Stream { permit, ..stream }),
        })
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self(Inner::Whole(bytes))
    }
}

fn held(bytes: Bytes, permit: Option<&BudgetPermit>) -> Bytes {
    match permit {
        Some(permit) => permit.hold(bytes),
        None => bytes,
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
            Inner::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Inner::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Inner::Stream(stream) => stream.poll_chunk(cx).map(|chunk| {
                chunk.map(|chunk| {
                    chunk.map(Frame::data).inspect_err(|error| {
                        tracing::error!(%error, "sending a list failed");
                    })
                })
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(bytes) => bytes.is_empty(),
            Inner::Stream(stream) => matches!(stream.state, StreamState::Ended),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Stream(stream) => stream.left.map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}

impl Stream {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ContentError>>> {
        loop {
            match std::mem::replace(&mut self.state, StreamState::Ended) {
                StreamState::Ended => return Poll::Ready(None),
                StreamState::Idle(mut chunks) => {
                    let read = move || chunks.next().map(|chunk| (chunks, chunk));
                    self.state = StreamState::Reading(tokio::task::spawn_blocking(read));
                }
                StreamState::Reading(mut reading) => {
                    let Poll::Ready(result) = Pin::new(&mut reading).poll(cx) else {
                        self.state = StreamState::Reading(reading);
                        return Poll::Pending;
                    };
                    let Some((chunks, chunk)) = result? else { return Poll::Ready(None) };
                    let chunk = chunk?;
                    self.left = self.left.map(|left| left.saturating_sub(chunk.len() as u64));
                    self.state = StreamState::Idle(chunks);
                    return Poll::Ready(Some(Ok(held(chunk, self.permit.as_ref()))));
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
