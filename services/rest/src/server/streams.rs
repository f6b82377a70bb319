//! Requests of HTTP/2 that are in progress at the same time. Each but the first of a connection
//! counts as a connection: what bounds the memory of clients that send or read slowly with
//! HTTP/1.1 then bounds it here, too.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use pin_project_lite::pin_project;

use super::admission::{Admission, Admissions};
use super::level::Level;
use super::progress::{Progress, Sending};
use super::refusal::{Refusal, json};
use super::room::Costs;

/// The requests in progress on a connection.
pub(super) struct Streams {
    admissions: Admissions,
    peer: SocketAddr,
    has_first: Arc<AtomicBool>,
}

/// What a request in progress holds, until the last byte of its answer is sent.
pub(super) struct Slot {
    /// The mark of the connection, if this is its first.
    first: Option<Arc<AtomicBool>>,
    _admission: Option<Admission>,
    sending: Option<Sending>,
}

impl Streams {
    pub(super) fn new(admissions: Admissions, peer: SocketAddr) -> Self {
        Self { admissions, peer, has_first: Arc::default() }
    }

    /// Whether one more request may be in progress.
    pub(super) fn admit(&self) -> Result<Slot, Refusal> {
        if !self.has_first.swap(true, Ordering::Relaxed) {
            return Ok(Slot {
                first: Some(Arc::clone(&self.has_first)),
                _admission: None,
                sending: None,
            });
        }
        let admission = self.admissions.admit(self.peer, Costs::PLAIN, Level::Active)?;
        Ok(Slot { first: None, _admission: Some(admission), sending: None })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(first) = &self.first {
            first.store(false, Ordering::Relaxed);
        }
    }
}

pin_project! {
    /// The body of an answer, with what its request holds.
    pub(super) struct HeldBody<B> {
        #[pin]
        body: Option<B>,
        // What is said instead.
        refusal: Option<Bytes>,
        slot: Option<Arc<Slot>>,
    }
}

/// A part of an answer, with what its request holds.
pub(super) enum HeldData<D> {
    Answer { data: D, _slot: Option<Arc<Slot>> },
    Refusal(Bytes),
}

/// Has an answer hold what its request holds, while it is being sent.
pub(super) fn hold<B>(
    answer: Response<B>,
    mut slot: Slot,
    progress: &Arc<Progress>,
) -> Response<HeldBody<B>> {
    slot.sending = Some(progress.sending());
    let slot = Some(Arc::new(slot));
    answer.map(|body| HeldBody { body: Some(body), refusal: None, slot })
}

/// What is answered to a request that is over a limit.
pub(super) fn refuse<B>(refusal: Refusal) -> Response<HeldBody<B>> {
    let (status, message) = refusal.words();
    let refusal = Some(Bytes::from(json(message)));
    let mut answer = Response::new(HeldBody { body: None, refusal, slot: None });
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
    answer
}

impl<B: Body> Body for HeldBody<B> {
    type Data = HeldData<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else {
            let refusal = this.refusal.take().map(HeldData::Refusal);
            return Poll::Ready(refusal.map(|data| Ok(Frame::data(data))));
        };
        body.poll_frame(cx).map_ok(|frame| {
            frame.map_data(|data| HeldData::Answer { data, _slot: this.slot.clone() })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().map_or(self.refusal.is_none(), Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.body, &self.refusal) {
            (Some(body), _) => body.size_hint(),
            (None, refusal) => {
                SizeHint::with_exact(refusal.as_ref().map_or(0, |text| text.len() as u64))
            }
        }
    }
}

impl<D: Buf> Buf for HeldData<D> {
    fn remaining(&self) -> usize {
        match self {
            Self::Answer { data, .. } => data.remaining(),
            Self::Refusal(text) => text.remaining(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Answer { data, .. } => data.chunk(),
            Self::Refusal(text) => text.chunk(),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Answer { data, .. } => data.advance(count),
            Self::Refusal(text) => text.advance(count),
        }
    }
}
