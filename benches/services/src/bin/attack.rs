//! Does what keeps other clients waiting, from another address of loopback, for some seconds: idle
//! connections, bodies that never end, lists that nobody reads, and short searches. Prints how
//! often it was refused. Arguments: ADDRESS PATH SECONDS, where PATH is that of the collection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bench_services::argument;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// The address that the connections come from.
const FROM: &str = "127.0.0.3:0";
const IDLE: usize = 10_000;
const BODIES: usize = 256;
const READERS: usize = 300;
/// Searches a second.
const SEARCHES: u32 = 200;
/// How long it waits before it tries again what was refused.
const RETRY: Duration = Duration::from_millis(500);

#[derive(Clone)]
struct Attack {
    address: SocketAddr,
    path: Arc<str>,
    refused: Arc<AtomicU64>,
}

impl Attack {
    async fn connect(&self) -> Option<TcpStream> {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        socket.bind(FROM.parse().expect("an address")).ok()?;
        socket.connect(self.address).await.ok()
    }

    /// Sends something on a connection, again whenever the service closes it.
    async fn hold(self, bytes: Vec<u8>, reads: bool) {
        loop {
            if let Some(mut stream) = self.connect().await {
                let _ = stream.write_all(&bytes).await;
                let mut buffer = [0; 4096];
                if !reads {
                    tokio::time::sleep(Duration::from_secs(20)).await;
                }
                while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn search(self) {
        let request = format!("GET {}?q=a HTTP/1.1\r\nHost: localhost\r\n\r\n", self.path);
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / SEARCHES);
        let mut stream = None;
        loop {
            ticks.tick().await;
            if stream.is_none() {
                stream = self.connect().await;
            }
            let Some(open) = &mut stream else { continue };
            let mut buffer = vec![0; 1 << 20];
            let sent = open.write_all(request.as_bytes()).await;
            if sent.is_err() || !open.read(&mut buffer).await.is_ok_and(|length| length > 0) {
                stream = None;
            }
            if buffer.starts_with(b"HTTP/1.1 429") {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[tokio::main]
async fn main() {
    let (address, path): (SocketAddr, String) = (argument(1, "ADDRESS"), argument(2, "PATH"));
    let seconds: u64 = argument(3, "SECONDS");
    let attack = Attack { address, path: path.as_str().into(), refused: Arc::default() };
    for _ in 0..IDLE {
        tokio::spawn(attack.clone().hold(Vec::new(), true));
    }
    let mut body = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60001\r\n\r\n"
    ).into_bytes();
    body.resize(body.len() + 60_000, b' ');
    for _ in 0..BODIES {
        tokio::spawn(attack.clone().hold(body.clone(), true));
    }
    let list = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for _ in 0..READERS {
        tokio::spawn(attack.clone().hold(list.clone().into_bytes(), false));
    }
    tokio::spawn(attack.clone().search());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    println!("{}", attack.refused.load(Ordering::Relaxed));
    // Without waiting for ten thousand tasks.
    std::process::exit(0);
}
