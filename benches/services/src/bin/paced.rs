//! Sends requests at a given rate over a few connections and prints the 50th, 99th and 99.9th
//! percentile of the latency in microseconds, counted from when a request was due: a slow answer
//! does not hide those that should have come meanwhile.
//! Arguments: ADDRESS PATH CONNECTIONS RATE SECONDS [FILE]: it reads, or posts the file.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bench_services::argument;

fn main() {
    let (address, path): (SocketAddr, String) = (argument(1, "ADDRESS"), argument(2, "PATH"));
    let connections: u32 = argument(3, "CONNECTIONS");
    let rate: u32 = argument(4, "RATE");
    let seconds: u32 = argument(5, "SECONDS");
    let body = std::env::args().nth(6).map(|file| std::fs::read_to_string(file).expect("a file"));
    let request = match body {
        None => format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Some(body) => format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    };
    let every = Duration::from_secs(1) * connections / rate;
    let threads: Vec<_> = (0..connections)
        .map(|n| {
            let request = request.clone();
            let count = seconds * rate / connections;
            std::thread::spawn(move || send(address, &request, every, every * n / connections, count))
        })
        .collect();
    let mut times: Vec<Duration> =
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
    times.sort();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_micros();
    println!("{} {} {}", at(0.5), at(0.99), at(0.999));
}

fn send(
    address: SocketAddr,
    request: &str,
    every: Duration,
    offset: Duration,
    count: u32,
) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).expect("a server");
    stream.set_nodelay(true).expect("a TCP connection");
    let begin = Instant::now() + offset;
    let mut buffer = [0; 64 << 10];
    (0..count)
        .map(|n| {
            let due = begin + every * n;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            stream.write_all(request.as_bytes()).expect("a connection");
            // The answers are short: each comes in one piece.
            assert!(stream.read(&mut buffer).expect("an answer") > 0);
            due.elapsed()
        })
        .collect()
}
