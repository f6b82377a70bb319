//! HTTP/1.1 and HTTP/2 on a connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::{HOST, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::admission::Admission;
use super::connection::{BoxError, CloseReason, Connection, FAREWELL, Protocol};
use super::http1::Http1;
use super::interrupts::Stage;
use super::level::Level;
use super::progress::Progress;
use super::streams::{self, Streams};
use super::tracked_stream::{Source, TrackedStream};

/// Requests that a client may have in progress on one connection of HTTP/2.
const STREAMS: u32 = 100;
/// What a client may send of bodies that nobody has read, for each request and for all together,
/// and what is buffered of an answer that the client does not read.
const WINDOW_BYTES: u32 = 64 << 10;

/// How both protocols are spoken.
#[derive(Debug, Clone)]
pub(super) struct Protocols {
    http1: Arc<http1::Builder>,
    http2: http2::Builder<TokioExecutor>,
}

impl Protocols {
    /// Requests may have so many bytes of headers.
    pub(super) fn new(head_bytes: usize) -> Self {
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(head_bytes);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_send_buf_size(WINDOW_BYTES as usize);
        Self { http1: Arc::new(http1), http2 }
    }

    /// A connection of HTTP/1.1 whose requests `handle` answers.
    pub(super) fn http1<T, H, F, B>(
        &self,
        stream: T,
        peer: SocketAddr,
        admission: Admission,
        handle: H,
    ) -> Connection<impl Protocol + Send + use<T, H, F, B>>
    where
        T: Source,
        H: Fn(Request<Incoming>, SocketAddr) -> F + Send + Unpin,
        F: Future<Output = Response<B>> + Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let progress = Arc::new(Progress::default());
        let tracker = Arc::clone(&progress);
        let service = service_fn(move |request| {
            tracker.begin(&request);
            tracker.track(handle(request, peer))
        });
        let builder = Arc::clone(&self.http1);
        let http = Http1::new(builder, stream, service, Arc::clone(&progress), admission);
        Connection::new(http, progress)
    }

    /// As [`Self::http1`], for HTTP/2.
    pub(super) fn http2<T, H, F, B>(
        &self,
        stream: T,
        peer: SocketAddr,
        streams: Streams,
        admission: Admission,
        handle: H,
    ) -> Connection<impl Protocol + Send + use<T, H, F, B>>
    where
        T: Source,
        H: Fn(Request<Incoming>, SocketAddr) -> F + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let progress = Arc::new(Progress::default());
        let tracker = Arc::clone(&progress);
        let service = service_fn(move |mut request| {
            tracker.begin(&request);
            name_host(&mut request);
            let admitted = streams.admit();
            let work = admitted.map(|slot| (handle(request, peer), slot));
            let progress = Arc::clone(&tracker);
            tracker.track(async move {
                match work {
                    Ok((work, slot)) => streams::hold(work.await, slot, &progress),
                    Err(refusal) => streams::refuse(refusal),
                }
            })
        });
        let stream = TrackedStream::of_frames(stream, Arc::clone(&progress));
        let http = self.http2.serve_connection(TokioIo::new(stream), service);
        let http = Http2 { http, progress: Arc::clone(&progress), admission, last: None };
        Connection::new(http, progress)
    }
}

/// A connection of HTTP/2.
struct Http2<C> {
    http: C,
    progress: Arc<Progress>,
    admission: Admission,
    /// The progress when it was served last.
    last: Option<u32>,
}

impl<C: Future<Output = hyper::Result<()>> + Unpin> Future for Http2<C> {
    type Output = CloseReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        if let Poll::Ready(result) = Pin::new(&mut self.http).poll(cx) {
            return Poll::Ready(result.into());
        }
        let now = self.progress.read();
        let is_unchanged = now == std::mem::replace(&mut self.last, now);
        let is_idle = is_unchanged && now.is_some() && self.progress.has_sent_all();
        let level = match self.progress.level() {
            Level::Active if is_idle => Level::Idle,
            level => level,
        };
        match self.admission.place.set(level) {
            Ok(()) => Poll::Pending,
            Err(_) => Poll::Ready(CloseReason::NoRoom),
        }
    }
}

type Http2Connection<T, S> = http2::Connection<TokioIo<TrackedStream<T>>, S, TokioExecutor>;

impl<T, S, B> Protocol for Http2<Http2Connection<T, S>>
where
    T: Source,
    S: HttpService<Incoming, ResBody = B, Error = Infallible> + Send,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    const LAST_CHECKS: Option<Duration> = Some(FAREWELL);

    /// The client is told which requests are still answered, and sends others elsewhere.
    fn stop(&mut self, _stage: Stage, _progress: &Progress) {
        Pin::new(&mut self.http).graceful_shutdown();
    }

    async fn time_out(mut self) {
        Pin::new(&mut self.http).graceful_shutdown();
        let _ = tokio::time::timeout(FAREWELL, self.http).await;
    }

    async fn refuse(self) {
        self.time_out().await;
    }
}

/// Gives a request of HTTP/2 the header `Host` that HTTP/1.1 would have. HTTP/2 has the host in
/// `:authority`, which counts more than a header that the client may have sent as well.
fn name_host<B>(request: &mut Request<B>) {
    let authority = request.uri().authority().map(|it| HeaderValue::from_str(it.as_str()));
    if let Some(Ok(authority)) = authority {
        request.headers_mut().insert(HOST, authority);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_the_host() {
        for (uri, header, host) in [
            ("https://a.test/", None, Some("a.test")),
            ("https://a.test:8443/", Some("b.test"), Some("a.test:8443")),
            ("/", Some("b.test"), Some("b.test")),
            ("/", None, None),
        ] {
            let mut request = Request::get(uri);
            if let Some(header) = header {
                request = request.header(HOST, header);
            }
            let mut request = request.body(()).unwrap();
            name_host(&mut request);
            let hosts: Vec<_> = request.headers().get_all(HOST).iter().collect();
            assert_eq!(hosts, Vec::from_iter(host), "{uri} {header:?}");
        }
    }
}
