//! Answers clients whose connections are about to be closed.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Connections over the limit that are being told so; more are dropped at once.
pub(super) const AT_ONCE: usize = 256;
/// How long a client has to take its last words.
const LINGER: Duration = Duration::from_secs(1);

const BUSY: &str = "The service has all the connections that it can keep.";

/// Turns a connection away for which there is no place.
pub(super) fn refuse(stream: TcpStream, places: &Arc<Semaphore>) {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        tokio::spawn(async move {
            say(stream, StatusCode::SERVICE_UNAVAILABLE, BUSY).await;
            drop(place);
        });
    }
}

/// Sends an answer and closes the connection.
pub(super) async fn say(mut stream: TcpStream, status: StatusCode, message: &str) {
    let answer = answer(status, message);
    let words = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // Closing while the client is still sending would take the answer back.
        let mut ignored = [0; 1024];
        while stream.read(&mut ignored).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // A client that does not listen has missed it.
    let _ = tokio::time::timeout(LINGER, words).await;
}

/// An answer for a connection that hyper does not, or no longer, look after.
fn answer(status: StatusCode, message: &str) -> String {
    let retry = match status {
        StatusCode::SERVICE_UNAVAILABLE => "retry-after: 10\r\n",
        _ => "",
    };
    let body = format!("{{\"error\": \"{message}\"}}");
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\n{retry}content-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}
