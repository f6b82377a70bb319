//! Requests that mean harm, or that two readers could understand in two ways. Each is
//! answered or hung up on; the service stays, and nothing is done that was not asked.

use std::io::Write;

use serde_json::json;

use crate::harness::http::{connect, exchange, read_answer, send, statuses};
use crate::harness::{EVENT, Service, temp_dir};

/// The limit on a request's head, in bytes.
const HEAD_LIMIT: usize = 16 << 10;

fn post(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let long = "x".repeat(HEAD_LIMIT);
    let many = "A: b\r\n".repeat(200);
    for (what, head) in [
        ("a long header", format!("GET /events HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n")),
        (
            "a header that does not end",
            format!("GET /events HTTP/1.1\r\nHost: localhost\r\nX: {long}"),
        ),
        ("many headers", format!("GET /events HTTP/1.1\r\nHost: localhost\r\n{many}\r\n")),
    ] {
        let answer = exchange(service.address, head.as_bytes());
        assert_eq!(statuses(&answer), [431], "{what}");
    }
    let path = format!("GET /{long}{long}{long}{long} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = statuses(&exchange(service.address, path.as_bytes()));
    assert!(answer == [414] || answer == [431], "{answer:?}");
    service.wait_for_metric("eventpost_connections_malformed_total", 4);
}

#[test]
fn a_request_within_a_request_is_never_carried_out() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let event = send(service.address, "POST", "/events", Some(EVENT)).json();
    let path = format!("/events/{}", event["id"].as_str().unwrap());
    let inner = format!("DELETE {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let length = inner.len() + 5;
    let chunked = format!("0\r\n\r\n{inner}");
    let post = "POST /events HTTP/1.1\r\nHost: localhost\r\n";
    for (what, request) in [
        (
            "length, then chunks",
            format!(
                "{post}Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"
            ),
        ),
        (
            "chunks, then length",
            format!(
                "{post}Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n\r\n{chunked}"
            ),
        ),
        ("two lengths", format!("{post}Content-Length: 0\r\nContent-Length: 5\r\n\r\n{inner}")),
        ("a list of lengths", format!("{post}Content-Length: 0, 5\r\n\r\n{inner}")),
        ("a signed length", format!("{post}Content-Length: +0\r\n\r\n{inner}")),
        ("a hexadecimal length", format!("{post}Content-Length: 0x0\r\n\r\n{inner}")),
        ("a space before the colon", format!("{post}Content-Length : 0\r\n\r\n{inner}")),
        ("a folded header", format!("{post}X: a\r\n Content-Length: 0\r\n\r\n{inner}")),
        ("chunks, but not last", format!("{post}Transfer-Encoding: chunked, x\r\n\r\n{chunked}")),
        ("an unknown coding", format!("{post}Transfer-Encoding: xchunked\r\n\r\n{chunked}")),
        (
            "chunks in HTTP/1.0",
            format!("POST /events HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"),
        ),
        ("no host", format!("POST /events HTTP/1.1\r\nContent-Length: 0\r\n\r\n{inner}")),
        ("two hosts", format!("{post}Host: u\r\nContent-Length: 0\r\n\r\n{inner}")),
    ] {
        let answer = exchange(service.address, request.as_bytes());
        let answers = statuses(&answer);
        let text = String::from_utf8_lossy(&answer);
        assert!(answers.len() <= 1, "{what}: {text}");
        assert!(answers.iter().all(|status| (400..500).contains(status)), "{what}: {text}");
        assert_eq!(send(service.address, "GET", &path, None).status, 200, "{what}");
    }
}

#[test]
fn chunks_that_make_no_sense_end_the_connection() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let head = "POST /events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let endless = format!("5;{}", "x".repeat(HEAD_LIMIT * 4));
    for chunks in [
        "zz\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloworld\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nhello\r\n",
        "5\nhello\n0\n\n",
        &endless,
    ] {
        let answer = exchange(service.address, format!("{head}{chunks}").as_bytes());
        let answers = statuses(&answer);
        assert!(answers.is_empty() || answers == [400], "{chunks:.40}: {answers:?}");
    }
    assert_eq!(send(service.address, "GET", "/events", None).body, "[]");
}

#[test]
fn bodies_that_are_no_events_are_refused() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let deep = "[".repeat(60_000);
    let deep_member = format!("{{\"title\": {}", "{\"a\":".repeat(10_000));
    let digits = format!("{{\"title\": {}}}", "9".repeat(60_000));
    let nul = EVENT.replace("\"t\"", "\"\\u0000\\ud800\"");
    for (what, body) in [
        ("invalid UTF-8", &b"{\"title\": \"\xff\xfe\"}"[..]),
        ("overlong UTF-8", b"{\"title\": \"\xc0\xaf\"}"),
        ("deep lists", deep.as_bytes()),
        ("deep objects", deep_member.as_bytes()),
        ("a huge number", b"{\"title\": 1e999999999}"),
        ("a long number", digits.as_bytes()),
        ("a lone surrogate", nul.as_bytes()),
        ("a byte order mark", b"\xef\xbb\xbf{}"),
        ("two values", b"{}{}"),
        ("zeros", &[0; 1000]),
    ] {
        let answer = exchange(service.address, &post(body));
        assert_eq!(statuses(&answer), [422], "{what}: {}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(send(service.address, "GET", "/events", None).body, "[]");
}

#[test]
fn of_equal_keys_the_last_is_stored() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let body = EVENT.replace("\"title\": \"t\"", "\"title\": \"one\", \"title\": \"two\"");
    assert_eq!(send(service.address, "POST", "/events", Some(&body)).json()["title"], "two");
}

#[test]
fn paths_are_taken_as_they_are() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let event = send(service.address, "POST", "/events", Some(EVENT)).json();
    let id = event["id"].as_str().unwrap();
    let encoded = id.replace('0', "%30").replace('6', "%36");
    for path in [
        "/events/../events",
        "/../../etc/passwd",
        "/events/..%2f..%2fetc%2fpasswd",
        "/events/%2e%2e/%2e%2e/lock",
        "/%65vents",
        "//events",
        "/events//",
        "/Events",
        "/events/%00",
        &format!("/events/{id}/"),
        &format!("/events/{id}%00"),
        &format!("/events/{encoded}"),
        &format!("/events/{id};a=b"),
        "/log",
    ] {
        let answer = send(service.address, "GET", path, None);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert!(answer.json()["error"].is_string(), "{path}");
    }
    // The absolute form is what a proxy gets, and means the same path.
    let absolute = format!(
        "GET http://localhost/events/{id} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(statuses(&exchange(service.address, absolute.as_bytes())), [200]);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let mut stream = connect(service.address);
    let mut requests = String::new();
    for n in 0..200 {
        let body = json!({"title": format!("event {n}"), "description": "d".repeat(20),
            "date": "2020-12-12", "time": "20:50:12"})
        .to_string();
        let last = if n == 199 { "Connection: close\r\n" } else { "" };
        let length = body.len();
        let head =
            format!("POST /events HTTP/1.1\r\nHost: localhost\r\n{last}Content-Length: {length}");
        requests.extend([head.as_str(), "\r\n\r\n", &body]);
    }
    stream.write_all(requests.as_bytes()).unwrap();
    let text = read_answer(&mut stream).unwrap().body;
    let titles: Vec<_> =
        text.match_indices("\"title\": \"event ").map(|(at, _)| &text[at + 16..at + 19]).collect();
    assert_eq!(titles.len(), 200);
    for (n, title) in titles.iter().enumerate() {
        assert!(title.starts_with(&n.to_string()), "{n}: {title}");
    }
}
