//! What connections speak: HTTP/1.1 as it is, or HTTP/1.1 and HTTP/2 inside TLS.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::interrupts::Stage;

/// The protocol by which an authority checks a name; nothing is sent inside such a connection.
pub(crate) const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";
/// HTTP/2, as clients name it in a handshake.
pub(crate) const HTTP2_PROTOCOL: &[u8] = b"h2";

/// What TLS holds of an answer that the network has not taken yet. What it takes counts as sent:
/// a client that is closed for reading too slowly would lose it.
const BUFFER_BYTES: usize = 32 << 10;

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
    Http1(Box<TlsStream<TcpStream>>),
    Http2(Box<TlsStream<TcpStream>>),
    /// An authority has seen the certificate that it asked for, and there is nothing more to do.
    Challenge,
}

/// Waits for a client's handshake. `None` if it failed, took longer than `time`, or the server
/// stops.
pub(super) async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    time: Duration,
    mut stage: watch::Receiver<Stage>,
) -> Option<Secured> {
    let accept = acceptor.accept_with(stream, |tls| tls.set_buffer_limit(Some(BUFFER_BYTES)));
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(time, accept) => accepted,
        _ = stage.wait_for(|stage| *stage == Stage::Closing) => return None,
    };
    let stream = match accepted {
        Ok(Ok(stream)) => Box::new(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            return None;
        }
        Err(_) => return None,
    };
    Some(match stream.get_ref().1.alpn_protocol() {
        Some(CHALLENGE_PROTOCOL) => Secured::Challenge,
        Some(HTTP2_PROTOCOL) => Secured::Http2(stream),
        _ => Secured::Http1(stream),
    })
}
