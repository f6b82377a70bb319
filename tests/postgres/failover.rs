//! The server dies under load, and its synchronous standby takes its place.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::harness::http::{Client, send};
use crate::harness::{EVENT, temp_dir, wait_for};

const CLIENTS: usize = 8;
/// Writes a second of each client.
const PACE: u32 = 125;

/// What clients have seen.
#[derive(Default)]
struct Seen {
    /// The paths of events that were answered.
    answered: Mutex<Vec<String>>,
    count: AtomicUsize,
    refused: AtomicUsize,
    stop: AtomicBool,
}

/// Creates events until it is told to stop, whatever the answers are.
fn write(address: SocketAddr, seen: &Seen) {
    let mut client = None;
    let mut next = Instant::now();
    while !seen.stop.load(Ordering::Relaxed) {
        next += Duration::from_secs(1) / PACE;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let Some(connected) = client.take().or_else(|| Client::connect(address).ok()) else {
            continue;
        };
        let mut connected: Client = connected;
        let Ok(answer) = connected.send("POST", "/events", EVENT) else { continue };
        if answer.status == 201 {
            let path = answer.header("location").unwrap().to_owned();
            seen.answered.lock().unwrap().push(path);
            seen.count.fetch_add(1, Ordering::Relaxed);
        } else {
            assert_eq!(answer.status, 503, "{answer:?}");
            seen.refused.fetch_add(1, Ordering::Relaxed);
        }
        client = Some(connected);
    }
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
#[expect(clippy::print_stdout, reason = "how much was proved belongs to the result")]
fn no_answered_write_is_lost_when_a_standby_takes_over() {
    let (primary, dir) = (Server::start(), temp_dir());
    let standby = primary.standby();
    let url = format!("postgres://postgres@{},{}/postgres", primary.address(), standby.address());
    let service = start("events", &url, dir.path());
    let seen = Seen::default();
    let before = std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| write(service.address, &seen));
        }
        let count = || seen.count.load(Ordering::Relaxed);
        wait_for("writes", || (count() > 2000).then_some(()));
        // It is a crash: nothing is flushed, and connections are lost in the middle of commits.
        primary.stop("immediate");
        standby.promote();
        let before = count();
        wait_for("writes after the failover", || (count() > before + 1000).then_some(()));
        seen.stop.store(true, Ordering::Relaxed);
        before
    });
    let answered = seen.answered.into_inner().unwrap();
    let mut client = Client::connect(service.address).unwrap();
    let lost = answered.iter().filter(|path| client.send("GET", path, "").unwrap().status != 200);
    let lost = lost.count();
    println!(
        "failover: {} answered writes, {before} of them before it, {lost} lost, {} refused",
        answered.len(),
        seen.refused.into_inner()
    );
    assert_eq!(lost, 0);
    assert_eq!(send(service.address, "GET", "/readyz", None).status, 200);
}
