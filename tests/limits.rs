//! What one client may ask for at once, and that others do not notice.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;

use crate::harness::http::{Answer, Client, ask, connect, read_answer};
use crate::harness::{EVENT, Service, long_event, post_many, temp_dir, wait_for};

/// Starts a service behind a proxy that names clients: the test.
fn start(data: &Path, limits: &[&str]) -> Service {
    let args = [&["--trusted-proxies", "127.0.0.1"], limits].concat();
    Service::start_with("events", data, &args, Stdio::null())
}

fn send_as(address: SocketAddr, client: &str, method: &str, path: &str, body: &str) -> Answer {
    ask(address, method, path, &format!("X-Forwarded-For: {client}\r\n"), body)
}

/// The statuses of so many requests, one after the other.
fn statuses(address: SocketAddr, client: &str, path: &str, count: usize) -> Vec<u16> {
    let mut connection = Client::connect(address).unwrap();
    let headers = format!("X-Forwarded-For: {client}\r\n");
    (0..count).map(|_| connection.send_with("GET", path, &headers, "").unwrap().status).collect()
}

#[test]
fn a_client_that_asks_too_much_is_told_to_wait_and_others_are_not() {
    let dir = temp_dir();
    let service = start(dir.path(), &["--limit-requests", "5"]);
    let all = statuses(service.address, "198.51.100.1", "/events", 200);
    assert!(all[..10].iter().all(|status| *status == 200), "{all:?}");
    assert!(all.contains(&429), "{all:?}");
    let refused = loop {
        let answer = send_as(service.address, "198.51.100.1", "GET", "/events", "");
        if answer.status == 429 {
            break answer;
        }
    };
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait), "{refused:?}");
    assert_eq!(refused.json()["error"], "Too many requests: slow down.");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(send_as(service.address, "198.51.100.1", "GET", path, "").status, 200);
    }
    assert_eq!(send_as(service.address, "198.51.100.2", "GET", "/events", "").status, 200);
    // Addresses of one network of IPv6 are one client.
    for n in 0..50 {
        let client = format!("2001:db8:0:1::{n:x}");
        if send_as(service.address, &client, "GET", "/events", "").status == 429 {
            assert_eq!(send_as(service.address, "2001:db8:0:2::1", "GET", "/", "").status, 200);
            return;
        }
    }
    panic!("50 addresses of a network have sent a request each");
}

#[test]
fn changes_and_searches_have_limits_of_their_own() {
    let dir = temp_dir();
    let service = start(dir.path(), &["--limit-changes", "3", "--limit-searches", "3"]);
    let client = "198.51.100.1";
    let changes: Vec<u16> = (0..50)
        .map(|_| send_as(service.address, client, "POST", "/events", EVENT).status)
        .collect();
    assert!(changes[..6].iter().all(|status| *status == 201), "{changes:?}");
    assert!(changes.contains(&429), "{changes:?}");
    // What was refused was not carried out.
    let created = changes.iter().filter(|status| **status == 201).count();
    let list = send_as(service.address, client, "GET", "/events", "").json();
    assert_eq!(list.as_array().unwrap().len(), created);
    let searches = statuses(service.address, client, "/events?q=a", 50);
    assert!(searches[..6].iter().all(|status| *status == 200), "{searches:?}");
    assert!(searches.contains(&429), "{searches:?}");
    for path in ["/events", "/events?limit=1", "/events?after=6b0e10d2b5db942f11d3b407&limit=9"] {
        let reads = statuses(service.address, client, path, 50);
        assert!(reads.iter().all(|status| *status == 200), "{path}: {reads:?}");
    }
}

#[test]
fn a_client_has_so_many_connections_and_gets_them_back() {
    let dir = temp_dir();
    let args = ["--limit-connections", "3"];
    let service = Service::start_with("events", dir.path(), &args, Stdio::null());
    let mut held: Vec<_> = (0..3).map(|_| Client::connect(service.address).unwrap()).collect();
    for client in &mut held {
        assert_eq!(client.send("GET", "/healthz", "").unwrap().status, 200);
    }
    let refused = read_answer(&mut connect(service.address)).unwrap();
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.header("retry-after"), Some("10"));
    held.clear();
    // The service may not have noticed yet.
    while ask(service.address, "GET", "/healthz", "", "").status != 200 {}
}

/// A request whose body does not arrive completely.
fn slow_body(address: SocketAddr, client: &str) -> TcpStream {
    let mut stream = connect(address);
    let head = format!(
        "POST /events HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {client}\r\n\
         Content-Length: 60001\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // It may have been refused by now.
    let _ = stream.write_all(" ".repeat(60_000).as_bytes());
    stream
}

#[test]
fn slow_bodies_of_one_client_leave_room_for_others() {
    let dir = temp_dir();
    let args = ["--limit-connections", "1000", "--body-timeout", "8"];
    let service = start(dir.path(), &args);
    let slow: Vec<_> = (0..256).map(|_| slow_body(service.address, "198.51.100.1")).collect();
    for n in 2..50 {
        let client = format!("198.51.100.{n}");
        let answer = send_as(service.address, &client, "POST", "/events", EVENT);
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let answers = slow.into_iter().map(|mut stream| read_answer(&mut stream).unwrap().status);
    let (late, refused): (Vec<_>, Vec<_>) = answers.partition(|status| *status == 408);
    // 2 MiB are 34 of them.
    assert!(late.len() <= 34, "{}", late.len());
    assert!(refused.iter().all(|status| *status == 429), "{refused:?}");
}

/// Asks for the list of everything, and reads nothing of it.
fn unread_list(address: SocketAddr, client: &str) -> TcpStream {
    let mut stream = connect(address);
    let head = format!(
        "GET /events HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {client}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn a_client_with_too_many_lists_is_refused_before_one_is_opened() {
    /// How many one client may have open, and all of them together.
    const LISTS: [usize; 2] = [8, 32];
    let dir = temp_dir();
    let service = start(dir.path(), &["--limit-requests", "0", "--limit-changes", "0"]);
    post_many(&service, 4000, &long_event());
    let client = |n: usize| format!("198.51.100.{}", n / LISTS[0]);
    let _held: Vec<_> = (0..LISTS[1]).map(|n| unread_list(service.address, &client(n))).collect();
    wait_for("all lists to be open", || {
        (service.metric("eventpost_store_open_lists") == LISTS[1] as u64).then_some(())
    });
    // The store has none left, which only a client learns that may have one.
    for (n, status) in [(0, 429), (LISTS[1], 503)] {
        let refused = read_answer(&mut unread_list(service.address, &client(n))).unwrap();
        assert_eq!(refused.status, status, "{refused:?}");
    }
}
