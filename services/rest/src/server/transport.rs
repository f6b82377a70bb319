//! What connections speak: HTTP/1.1 as it is, or HTTP/1.1 and HTTP/2 inside TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::interrupts::Stage;
use super::tracked_stream::Source;

/// The protocol by which an authority checks a name; nothing is sent inside such a connection.
pub(crate) const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";
/// HTTP/2, as clients name it in a handshake.
pub(crate) const HTTP2_PROTOCOL: &[u8] = b"h2";

/// What TLS holds of an answer that the network has not taken yet. What it takes counts as sent:
/// a client that is closed for reading too slowly would lose it.
const BUFFER_BYTES: usize = 32 << 10;
/// What a client may send until its handshake is done, in bytes: ten times what handshakes take, and
/// the record that may follow at once.
const HANDSHAKE_BYTES: usize = 40 << 10;

/// What the connections of a listener speak.
#[derive(Clone)]
pub enum Transport {
    /// HTTP/1.1.
    Plain,
    /// HTTP/1.1 or HTTP/2 inside TLS, as the client prefers.
    Tls(TlsAcceptor),
}

/// A connection after its handshake.
pub(super) enum Secured {
    Http1(Box<TlsStream<Encrypted>>),
    Http2(Box<TlsStream<Encrypted>>),
    /// An authority has seen the certificate that it asked for, and there is nothing more to do.
    Challenge,
}

/// A connection below TLS, which counts what cannot be deciphered yet.
#[derive(Debug)]
pub(super) struct Encrypted {
    stream: TcpStream,
    received: usize,
    limit: usize,
}

/// Waits for a client's handshake. `None` if it failed, took longer than `time`, or the server
/// stops.
pub(super) async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    time: Duration,
    mut stage: watch::Receiver<Stage>,
) -> Option<Secured> {
    let stream = Encrypted { stream, received: 0, limit: HANDSHAKE_BYTES };
    let accept = acceptor.accept_with(stream, |tls| tls.set_buffer_limit(Some(BUFFER_BYTES)));
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(time, accept) => accepted,
        _ = stage.wait_for(|stage| *stage == Stage::Closing) => return None,
    };
    let mut stream = match accepted {
        Ok(Ok(stream)) => Box::new(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            return None;
        }
        Err(_) => return None,
    };
    // From here on, long records count as memory.
    let encrypted = stream.get_mut().0;
    (encrypted.received, encrypted.limit) = (0, usize::MAX);
    Some(match stream.get_ref().1.alpn_protocol() {
        Some(CHALLENGE_PROTOCOL) => Secured::Challenge,
        Some(HTTP2_PROTOCOL) => Secured::Http2(stream),
        _ => Secured::Http1(stream),
    })
}

impl Source for Box<TlsStream<Encrypted>> {
    fn held_back(&self) -> usize {
        self.get_ref().0.received
    }

    fn note_read(&mut self) {
        self.get_mut().0.received = 0;
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        self.received += into.filled().len() - before;
        if self.received > self.limit {
            return Poll::Ready(Err(io::Error::other("the handshake is too long")));
        }
        read
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
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
