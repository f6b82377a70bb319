//! Controls the running service from its own program: its container has no other program.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::data_dir::{self, DataDir, DataDirError};
use crate::readiness::Readiness;
use crate::writes;

/// A service answers this immediately.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Writes in progress take milliseconds, unless the disk fails.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// More than any answer of `/readyz` has.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Why a service could not be made read-only or writable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("cannot signal the service: {0}")]
    Signal(io::Error),
    #[error("cannot change the file in the data folder: {0}")]
    File(io::Error),
    #[error("cannot ask the service at {address} whether it is ready: {reason}")]
    NoAnswer { address: SocketAddr, reason: String },
    #[error(
        "the service is still {}, {} s after it was told to change: check its log",
        last.as_str(), DRAIN_TIMEOUT.as_secs()
    )]
    Unchanged { last: Readiness },
}

/// The body of `/readyz`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Ready {
    status: Readiness,
}

type RequestError = Box<dyn std::error::Error + Send + Sync>;

/// Whether the service on a port of this machine is ready.
pub(crate) async fn is_ready(port: u16) -> bool {
    let answer = get_ready((Ipv4Addr::LOCALHOST, port).into()).await;
    answer.is_ok_and(|(status, _)| status == StatusCode::OK)
}

/// Makes the service that uses a data folder read-only for some time, or writable again, and
/// waits until it is: no write is in progress any more. If none is running, this holds for
/// the next one that is started.
pub(crate) async fn set_read_only(data: &Path, time: Option<Duration>) -> Result<(), ControlError> {
    data_dir::create(data).map_err(ControlError::File)?;
    writes::set_read_only(data, time).map_err(ControlError::File)?;
    let Some(holder) = DataDir::holder(data)? else { return Ok(()) };
    let pid = i32::try_from(holder.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| ControlError::Signal(io::Error::other("no valid process id")))?;
    kill_process(pid, Signal::HUP).map_err(|error| ControlError::Signal(error.into()))?;
    let address = reachable(holder.address);
    let begin = Instant::now();
    loop {
        let (_, last) = get_ready(address)
            .await
            .map_err(|error| ControlError::NoAnswer { address, reason: error.to_string() })?;
        if (last == Readiness::ReadOnly) == time.is_some() {
            return Ok(());
        }
        if begin.elapsed() > DRAIN_TIMEOUT {
            return Err(ControlError::Unchanged { last });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Asks a service whether it is ready.
async fn get_ready(address: SocketAddr) -> Result<(StatusCode, Readiness), RequestError> {
    let exchange = async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        let request = Request::get("/readyz").header(HOST, "localhost");
        let request = request.body(Empty::<Bytes>::new())?;
        let answer = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await?;
            let Ready { status: readiness } = serde_json::from_slice(&body.to_bytes())?;
            Ok((status, readiness))
        };
        // The connection reads and writes while the answer is awaited.
        tokio::select! {
            answer = answer => answer,
            Err(error) = connection => Err(error.into()),
        }
    };
    tokio::time::timeout(ANSWER_TIMEOUT, exchange).await?
}

/// Where a service that listens on all addresses, IPv6 too, is reached: every container has
/// the loopback address of IPv4.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    address
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// What is read from a service that answers every request with `answer`.
    async fn ask(answer: &'static str) -> Result<(StatusCode, Readiness), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        get_ready(address).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn only_a_complete_answer_counts() {
        let ready = "HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n{\"status\": \"ready\"}";
        assert_eq!(ask(ready).await.unwrap(), (StatusCode::OK, Readiness::Ready));
        let cut = &ready[..ready.len() - 1];
        for bad in ["", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n{\"status\": 5}", cut] {
            assert!(ask(bad).await.is_err(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_port_without_a_service_is_not_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert!(!is_ready(port).await);
    }
}
