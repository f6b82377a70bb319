//! Answers clients whose connections are about to be closed.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Refused connections that are answered at the same time; others are closed without an answer.
pub(super) const MAX_ANSWERED: usize = 256;
/// How long a client may take to read the answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Why a connection is refused.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    /// The server has as many as it may.
    TooMany,
    /// The client has.
    TooManyOfClient,
}

impl Refusal {
    /// What is answered.
    pub(super) fn words(self) -> (StatusCode, &'static str) {
        match self {
            Self::TooMany => {
                (StatusCode::SERVICE_UNAVAILABLE, "Too many connections: try again later.")
            }
            Self::TooManyOfClient => {
                (StatusCode::TOO_MANY_REQUESTS, "Too many connections from this client.")
            }
        }
    }
}

/// Refuses a connection that is over a limit.
pub(super) fn refuse(stream: TcpStream, refusal: Refusal, permits: &Arc<Semaphore>) {
    if let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
        tokio::spawn(async move {
            let (status, message) = refusal.words();
            send_and_close(stream, status, message).await;
            drop(permit);
        });
    }
}

/// Sends an answer and closes the connection.
pub(super) async fn send_and_close(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    status: StatusCode,
    message: &str,
) {
    let answer = answer(status, message);
    let exchange = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // Closing while the client is still sending would reset the connection, and the client
        // would lose the answer.
        let mut ignored = [0; 1024];
        while stream.read(&mut ignored).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // Clients that do not read the answer in time do not get it.
    let _ = tokio::time::timeout(TIMEOUT, exchange).await;
}

/// An answer on a connection that hyper does not handle, or no longer.
fn answer(status: StatusCode, message: &str) -> String {
    let retry = match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "retry-after: 10\r\n",
        _ => "",
    };
    let body = json(message);
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\n{retry}content-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

/// The body of an answer that refuses.
pub(super) fn json(message: &str) -> String {
    format!("{{\"error\": \"{message}\"}}")
}
