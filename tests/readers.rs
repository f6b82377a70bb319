//! Clients that ask for much and read nothing, or slowly: memory and disk stay bounded, and
//! others are answered meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use rustix::net::{self, AddressFamily, SocketType, socket, sockopt};

use crate::harness::http::{Answer, read_answer, send};
use crate::harness::{EVENT, Service, long_event, post_many, temp_dir, wait_for};

/// What answers may take in memory, as the service sets it.
const BUDGET: u64 = 32 << 20;
/// How many lists may be open at once, as the store sets it.
const LISTS: usize = 32;

/// Sends a request, like `GET /events`, and reads nothing of the answer.
pub(crate) fn ask(request: &str, service: &Service) -> TcpStream {
    let mut stream = connect_narrowly(service).unwrap();
    let request = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// A connection whose system keeps next to nothing for a client that does not read.
fn connect_narrowly(service: &Service) -> std::io::Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    sockopt::set_socket_recv_buffer_size(&socket, 4096)?;
    net::connect(&socket, &service.address)?;
    Ok(socket.into())
}

/// Reads the answer to its end: whether it is as long as it says.
pub(crate) fn is_whole(mut stream: TcpStream) -> bool {
    let mut text = Vec::new();
    // A connection that breaks off may be reset.
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.unwrap().parse::<usize>().unwrap() == body.len()
}

/// The status of an answer, of which nothing else is read.
fn status(stream: &TcpStream) -> u16 {
    let mut head = [0; 12];
    let mut stream: &TcpStream = stream;
    stream.read_exact(&mut head).unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

/// Has a hundred clients ask for something and read nothing, while others are answered. Returns
/// how much memory that took beyond what the service had, and how many were answered 200.
fn unread(service: &Service, path: &str) -> (u64, usize) {
    let event = send(service.address, "POST", "/events", Some(EVENT));
    let one = event.header("location").unwrap();
    let idle = service.memory();
    let held: Vec<_> = (0..100)
        .map(|_| {
            // Each list is another one: none is shared.
            let changed = send(service.address, "PUT", one, Some(EVENT));
            assert_eq!(changed.status, 200, "{changed:?}");
            let stream = ask(&format!("GET {path}"), service);
            let status = status(&stream);
            (stream, status)
        })
        .collect();
    let statuses: Vec<_> = held.iter().map(|(_, status)| *status).collect();
    let served = statuses.iter().filter(|status| **status == 200).count();
    let busy = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!(served + busy, 100, "{statuses:?}");
    assert_eq!(send(service.address, "GET", one, None).status, 200);
    assert_eq!(send(service.address, "GET", "/healthz", None).status, 200);
    assert_eq!(send(service.address, "DELETE", one, None).status, 200);
    (service.peak_memory() - idle, served)
}

#[test]
fn clients_that_read_nothing_take_no_more_than_the_budget() {
    /// What is read from the store before it is known how long it is: two pages at once, as
    /// documents and as a list. The rest is what the allocator keeps.
    const READING: u64 = 2 * 2 * (5 << 20) + (16 << 20);
    let dir = temp_dir();
    // A list of four megabytes, and pages of five.
    for (count, path) in [
        (800, "/events"),
        (1200, "/events?limit=1000"),
        (1200, "/events?q=t&limit=1000"),
        (4000, "/events"),
    ] {
        let data = dir.path().join(format!("{count}{}", path.len()));
        let service = Service::start("events", &data);
        post_many(&service, count, &long_event());
        let (taken, served) = unread(&service, path);
        assert!(served > 0, "{path}");
        assert!(taken < BUDGET + READING, "{path}: {taken} bytes");
    }
}

#[test]
fn lists_beyond_those_that_may_be_open_are_told_to_come_back() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    post_many(&service, 4000, &long_event());
    let held: Vec<_> = (0..LISTS).map(|_| ask("GET /events", &service)).collect();
    wait_for("all of them to be open", || {
        (service.metric("eventpost_store_open_lists") == LISTS as u64).then_some(())
    });
    for _ in 0..8 {
        let refused: Answer = read_answer(&mut ask("GET /events", &service)).unwrap();
        assert_eq!(refused.status, 503, "{refused:?}");
        assert_eq!(refused.header("retry-after"), Some("10"));
    }
    // Pages, searches and writes need no list.
    for path in ["/events?limit=5", "/events?q=t&limit=5"] {
        assert_eq!(send(service.address, "GET", path, None).status, 200);
    }
    let made = send(service.address, "POST", "/events", Some(EVENT));
    assert_eq!(made.status, 201, "{made:?}");
    let mut held = held.into_iter();
    assert!(is_whole(held.next().unwrap()), "those that were begun are whole");
    drop(held);
    wait_for("the lists of clients that have left to end", || {
        (service.metric("eventpost_store_open_lists") == 0).then_some(())
    });
    assert!(is_whole(ask("GET /events", &service)));
}

#[test]
fn a_list_that_is_read_too_slowly_breaks_off() {
    let dir = temp_dir();
    let args = ["--idle-timeout", "600"];
    let service = Service::start_with("events", dir.path(), &args, Stdio::null());
    post_many(&service, 4000, &long_event());
    let held = ask("GET /events", &service);
    wait_for("the list to be open", || {
        (service.metric("eventpost_store_open_lists") == 1).then_some(())
    });
    // The client stays, and its list ends all the same.
    wait_for("the list to be ended", || {
        (service.metric("eventpost_store_open_lists") == 0).then_some(())
    });
    assert!(!is_whole(held), "the rest of it is missing");
}

#[test]
fn a_client_that_reads_a_few_bytes_a_second_is_not_waited_for() {
    let dir = temp_dir();
    let args = ["--idle-timeout", "4"];
    let service = Service::start_with("events", dir.path(), &args, Stdio::null());
    post_many(&service, 1000, &long_event());
    let mut slow = ask("GET /events", &service);
    let mut read = 0;
    wait_for("the end of a slow connection", || {
        // Some room each time, so that something is written, but far from 1 KiB a second.
        std::thread::sleep(std::time::Duration::from_millis(100));
        read += slow.read(&mut [0; 64]).unwrap_or_default();
        (service.metric("eventpost_connections_timed_out_total") > 0).then_some(())
    });
    assert!(read < 200_000, "{read}");
    // Whoever reads steadily gets all of it.
    assert!(is_whole(ask("GET /events", &service)));
}
