//! Sends questions and orders from a service's own program to the running service: its
//! container has no other program.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::data_dir::{self, DataDir, DataDirError};
use crate::writes;

/// A service that is asked says at once how it is.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Writes at work end in milliseconds, unless the disk is in trouble.
const WRITES_LIMIT: Duration = Duration::from_secs(30);

/// Why writes could not be refused, or taken again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("the service cannot be told: {0}")]
    Io(#[from] io::Error),
    #[error("the service was told, and after {} s still answers {last}", WRITES_LIMIT.as_secs())]
    NotYet { last: String },
}

/// Whether the service at an address of this machine says that it is ready.
pub(crate) fn is_ready(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port).into();
    readiness(address).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}

/// Has the service that uses a data folder refuse writes for so long, or take them again,
/// and waits until it is so: no write is at work any more. Where none runs, it holds for
/// the one that is started next.
pub(crate) fn refuse_writes(data: &Path, time: Option<Duration>) -> Result<(), AskError> {
    data_dir::create(data)?;
    writes::refuse(data, time)?;
    let Some(holder) = DataDir::holder(data)? else { return Ok(()) };
    let pid = i32::try_from(holder.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("it has no process id"))?;
    kill_process(pid, Signal::HUP).map_err(io::Error::from)?;
    let begin = Instant::now();
    loop {
        let last = readiness(reachable(holder.address))?;
        if last.contains("\"status\": \"read-only\"") == time.is_some() {
            return Ok(());
        }
        if begin.elapsed() > WRITES_LIMIT {
            return Err(AskError::NotYet { last: last.lines().last().unwrap_or_default().into() });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The answer to the question whether it is ready.
fn readiness(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Who listens on all addresses, of IPv6 too, is reached at this machine's own of IPv4:
/// that one is there in every container.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    address
}
