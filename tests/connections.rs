//! Clients that send too much, too little or nonsense.

use std::io::{Read, Write};

use crate::harness::http::{connect, read_answer, send};
use crate::harness::{Service, temp_dir};

/// The limit on request bodies, in bytes.
const LIMIT: usize = 64 << 10;

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_sent() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let mut stream = connect(service.address);
    let head = format!("POST /events HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n\r\n", LIMIT + 1);
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
        .write_all(b"POST /events HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
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
    let request = "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n";
    stream.write_all(request.repeat(3).as_bytes()).unwrap();
    let last = "GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
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
