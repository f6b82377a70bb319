//! Clients that send too much, too little or nonsense.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketType, socket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::harness::http::{connect, read_answer, send, statuses};
use crate::harness::{Service, long_event, post_many, temp_dir, wait_for};

/// The limit on request bodies, in bytes.
const LIMIT: usize = 64 << 10;
/// What a service may have in memory, whatever its clients do.
const MEMORY: u64 = 256 << 20;

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_sent() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let mut stream = connect(service.address);
    let head = format!(
        "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        LIMIT + 1
    );
    stream.write_all(head.as_bytes()).unwrap();
    let answer = read_answer(&mut stream).unwrap();
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(answer.json()["error"].as_str().unwrap().contains("65536"), "{answer:?}");
}

#[test]
fn a_body_that_grows_over_the_limit_is_refused() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let mut stream = connect(service.address);
    stream
        .write_all(
            b"POST /events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .unwrap();
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for _ in 0..5 {
        // The service may hang up before it has read all.
        let _ = stream.write_all(chunk.as_bytes());
    }
    let answer = read_answer(&mut stream).unwrap();
    assert_eq!(answer.status, 413, "{answer:?}");
}

#[test]
fn a_body_of_the_limit_is_read() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let event = r#"{"title": "t", "description": "dddddddddddddddddddd", "date": "2020-12-12",
        "time": "20:50:12"}"#;
    let body = format!("{event}{}", " ".repeat(LIMIT - event.len()));
    assert_eq!(send(service.address, "POST", "/events", Some(&body)).status, 201);
}

#[test]
fn a_connection_serves_one_request_after_another() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let mut stream = connect(service.address);
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request.repeat(3).as_bytes()).unwrap();
    let last = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(last.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("{\"status\": \"ok\"}").count(), 4, "{text}");
}

#[test]
fn nonsense_ends_its_own_connection_only() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let mut stream = connect(service.address);
    stream.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    assert!(text.is_empty() || text.starts_with(b"HTTP/1.1 400"), "{text:?}");
    assert_eq!(send(service.address, "GET", "/healthz", None).status, 200);
}

#[test]
fn a_head_that_comes_too_slowly_is_given_up() {
    let dir = temp_dir();
    let args = ["--idle-timeout", "1"];
    let service = Service::start_with("events", dir.path(), &args, Stdio::null());
    let mut slow = connect(service.address);
    let idle = connect(service.address);
    let drip = std::thread::spawn(move || {
        // Each byte alone would be in time.
        for byte in
            b"GET /events HTTP/1.1\r\nHost: localhost\r\nX: ".iter().chain([b'x'; 600].iter())
        {
            if slow.write_all(&[*byte]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut text = Vec::new();
        // After the answer the connection may be reset, since more was sent.
        let _ = slow.read_to_end(&mut text);
        text
    });
    assert_eq!(statuses(&drip.join().unwrap()), [408]);
    let said = std::io::read_to_string(idle).unwrap();
    assert_eq!(said, "", "an idle connection is closed without a word");
    service.wait_for_metric("eventpost_connections_timed_out_total", 2);
}

#[test]
fn a_body_that_comes_too_slowly_is_given_up() {
    let dir = temp_dir();
    let args = ["--body-timeout", "1"];
    let service = Service::start_with("events", dir.path(), &args, Stdio::null());
    for head in ["Content-Length: 200", "Transfer-Encoding: chunked"] {
        let mut stream = connect(service.address);
        let request = format!("POST /events HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n5\r\n{{");
        stream.write_all(request.as_bytes()).unwrap();
        let answer = read_answer(&mut stream).unwrap();
        assert_eq!(answer.status, 408, "{answer:?}");
        assert_eq!(answer.header("connection"), Some("close"));
    }
    assert_eq!(send(service.address, "GET", "/events", None).body, "[]");
}

#[test]
fn a_client_that_takes_nothing_of_its_answers_is_let_go() {
    let dir = temp_dir();
    let args = ["--idle-timeout", "1"];
    let service = Service::start_with("events", dir.path(), &args, Stdio::null());
    post_many(&service, 100, &long_event());
    // Half a megabyte each, far more than all buffers on the way hold.
    let mut stream = connect(service.address);
    let request = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    stream.write_all(request.as_bytes()).unwrap();
    wait_for("the connection to be closed", || {
        (service.metric("eventpost_connections_timed_out_total") > 0).then_some(())
    });
    assert!(service.memory() < 100 << 20, "{} bytes", service.memory());
}

/// Lets this process and the service have so many connections open.
fn need_files(connections: usize) {
    let room = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: room.maximum, ..room }).unwrap();
    assert!(
        room.maximum.is_none_or(|files| files > connections as u64 + 1000),
        "the hard limit on open files, {:?}, is too small for this test: see ulimit -Hn",
        room.maximum
    );
}

#[test]
fn ten_thousand_connections_are_kept() {
    const CONNECTIONS: usize = 10_000;
    need_files(CONNECTIONS);
    let dir = temp_dir();
    let args = ["--idle-timeout", "600"];
    let service = Service::start_with("events", dir.path(), &args, Stdio::null());
    let files = service.open_files();
    let open: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let mut stream = connect(service.address);
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            stream
        })
        .collect();
    for mut stream in &open {
        let mut status = [0; 15];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200 OK");
    }
    service.wait_for_metric("eventpost_connections ", CONNECTIONS as u64 + 1);
    assert!(service.peak_memory() < MEMORY, "{} bytes", service.peak_memory());
    drop(open);
    wait_for("the connections to be closed", || (service.open_files() <= files + 1).then_some(()));
}

/// A head of almost 16 KiB in many headers, which does not end.
fn long_head(first: &str) -> Vec<u8> {
    let header = |n: u32| format!("X-{n}: {}\r\n", "x".repeat(160));
    let headers: String = (0..90).map(header).collect();
    format!("{first} HTTP/1.1\r\nHost: localhost\r\n{headers}").into_bytes()
}

#[test]
fn connections_share_memory_whatever_they_send() {
    const CONNECTIONS: u32 = 8000;
    need_files(CONNECTIONS as usize);
    let dir = temp_dir();
    let args = ["--idle-timeout", "600", "--body-timeout", "600"];
    let service = Service::start_with("events", dir.path(), &args, Stdio::null());
    post_many(&service, 1000, &long_event());
    let half = long_head("GET /events");
    let body = [&long_head("POST /events")[..], b"Content-Length: 60000\r\n\r\n{"].concat();
    let list = b"GET /events?limit=50 HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20);
    // Each kind by itself would take two or three times as much as all may have.
    let open: Vec<_> = (0..CONNECTIONS)
        .map(|n| {
            // As many addresses as in a flood from everywhere.
            let mut stream = connect_from(Ipv4Addr::from(0x7f01_0000 + n), service.address);
            let sent = [&half, &body, &list][n as usize % 3];
            // It may have been closed by now.
            let _ = stream.write_all(sent);
            stream
        })
        .collect();
    assert!(service.peak_memory() < MEMORY, "{} bytes", service.peak_memory());
    // Another client is answered, for which those that hold more make room.
    assert_eq!(send(service.address, "GET", "/healthz", None).status, 200);
    drop(open);
    wait_for("the connections to be closed", || {
        (service.metric("eventpost_connections ") == 1).then_some(())
    });
}

/// Connects from an address of loopback.
fn connect_from(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    net::bind(&socket, &SocketAddr::from((from, 0))).unwrap();
    net::connect(&socket, &to).unwrap();
    socket.into()
}

#[test]
fn connections_over_the_limit_are_answered_503() {
    let dir = temp_dir();
    let args = ["--max-connections", "20"];
    let service = Service::start_with("events", dir.path(), &args, Stdio::null());
    let mut held: Vec<_> = (0..20).map(|_| connect(service.address)).collect();
    for stream in &mut held {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream.read_exact(&mut [0; 15]).unwrap();
    }
    for _ in 0..50 {
        let answer = send(service.address, "GET", "/healthz", None);
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("10"));
        assert!(answer.json()["error"].is_string());
    }
    drop(held);
    wait_for("room", || {
        (send(service.address, "GET", "/healthz", None).status == 200).then_some(())
    });
    assert!(service.metric("eventpost_connections_refused_total") >= 50);
}
