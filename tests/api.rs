//! What the API does beyond the first EventPost's: conditions, pages, compression, and
//! what it tells of itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::harness::http::{Client, ask, connect, exchange, send};
use crate::harness::{EVENT, Service, Signal, long_event, post_many, signal, temp_dir, wait_for};

fn post(service: &Service, title: &str) -> String {
    let body = EVENT.replace("\"t\"", &format!("\"{title}\""));
    let answer = send(service.address, "POST", "/events", Some(&body));
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().unwrap().into()
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let item = format!("/events/{}", post(&service, "one"));
    for path in [item.as_str(), "/events", "/events?limit=1"] {
        let first = send(service.address, "GET", path, None);
        let tag = first.header("etag").unwrap().to_owned();
        for method in ["GET", "HEAD"] {
            let headers = format!("If-None-Match: \"x\", W/{tag}\r\n");
            let again = ask(service.address, method, path, &headers, "");
            assert_eq!((again.status, again.body.as_str()), (304, ""), "{method} {path}");
            assert_eq!(again.header("etag"), Some(tag.as_str()));
        }
        let stale = ask(service.address, "GET", path, "If-None-Match: \"x\"\r\n", "");
        assert_eq!((stale.status, &stale.body), (200, &first.body), "{path}");
        let other = ask(service.address, "GET", path, "If-Match: \"x\"\r\n", "");
        assert_eq!(other.status, 412, "{path}");
    }
    let tag = send(service.address, "GET", "/events", None).header("etag").unwrap().to_owned();
    post(&service, "two");
    let headers = format!("If-None-Match: {tag}\r\n");
    assert_eq!(ask(service.address, "GET", "/events", &headers, "").status, 200);
}

#[test]
fn a_change_can_be_bound_to_what_was_seen() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let item = format!("/events/{}", post(&service, "one"));
    let seen = send(service.address, "GET", &item, None).header("etag").unwrap().to_owned();
    let condition = format!("If-Match: {seen}\r\n");
    let body = EVENT.replace("\"t\"", "\"two\"");
    let changed = ask(service.address, "PUT", &item, &condition, &body);
    assert_eq!(changed.status, 200, "{changed:?}");
    let now = changed.header("etag").unwrap();
    assert_ne!(now, seen);
    for method in ["PUT", "DELETE"] {
        let late = ask(service.address, method, &item, &condition, &body);
        assert_eq!(late.status, 412, "{late:?}");
        assert!(late.json()["error"].is_string());
    }
    let unchanged = send(service.address, "GET", &item, None);
    assert_eq!(unchanged.json()["title"], "two");
    assert_eq!(unchanged.header("etag"), Some(now), "the tag of an answer is that of a read");
    assert_eq!(ask(service.address, "PUT", &item, "If-None-Match: *\r\n", &body).status, 412);
    assert_eq!(ask(service.address, "DELETE", &item, "If-Match: *\r\n", "").status, 200);
    assert_eq!(ask(service.address, "DELETE", &item, "If-Match: *\r\n", "").status, 404);
}

#[test]
fn tags_of_resources_outlive_a_restart() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let item = format!("/events/{}", post(&service, "one"));
    let before = send(service.address, "GET", &item, None);
    assert_eq!(service.terminate(), Some(0));
    let service = Service::start("events", dir.path());
    let after = send(service.address, "GET", &item, None);
    assert_eq!(after.header("etag"), before.header("etag"));
}

#[test]
fn pages_follow_each_other_to_the_end() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let ids: Vec<_> = (0..7).map(|n| post(&service, &n.to_string())).collect();
    let whole = send(service.address, "GET", "/events", None).json();
    let mut found = Vec::new();
    let mut next = Some("/events?limit=3".to_owned());
    let mut pages = 0;
    while let Some(path) = next {
        let page = send(service.address, "GET", &path, None);
        assert_eq!(page.status, 200, "{page:?}");
        found.extend(page.json().as_array().unwrap().clone());
        let link = page.header("link").map(str::to_owned);
        next = link.and_then(|link| Some(link.strip_prefix('<')?.split_once('>')?.0.to_owned()));
        pages += 1;
    }
    assert_eq!(pages, 3);
    assert_eq!(&Value::Array(found.clone()), &whole);
    let stored: Vec<_> = found.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(stored, ids, "a list is by ascending id");
    for (query, rest) in [("limit=3", "[]"), ("", "2\r\n[]\r\n0\r\n\r\n")] {
        // How long the rest of a list is turns out only when it has been read.
        let last = format!("/events?after={}&{query}", ids[6]);
        assert_eq!(send(service.address, "GET", &last, None).body, rest, "{query}");
    }
    let bad = send(service.address, "GET", "/events?limit=0&after=x", None);
    assert_eq!(bad.status, 400);
    let details = bad.json()["details"].clone();
    let fields: Vec<_> = details.as_array().unwrap().iter().map(|d| &d["field"]).collect();
    assert_eq!(fields, ["limit", "after"]);
    let many = send(service.address, "GET", "/events?limit=1001", None);
    assert_eq!((many.status, &many.json()["details"][0]["field"]), (422, &"limit".into()));
}

#[test]
fn long_answers_are_compressed_for_those_who_ask() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    for n in 0..50 {
        post(&service, &n.to_string());
    }
    for path in ["/events", "/events?limit=40"] {
        let plain = send(service.address, "GET", path, None);
        assert_eq!(plain.header("content-encoding"), None);
        assert_eq!(plain.header("vary"), Some("accept-encoding"));
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept-Encoding: br, gzip\r\n\r\n"
        );
        // Twice: the list is compressed once and kept.
        for _ in 0..2 {
            let (head, body) = split(&exchange(service.address, request.as_bytes()));
            assert!(head.contains("content-encoding: gzip"), "{head}");
            assert!(head.contains("-gzip\""), "the tag is of the compressed form: {head}");
            assert!(body.len() < plain.body.len() / 3);
            assert_eq!(unzip(&dechunk(&head, body)), plain.body);
        }
    }
    let short = format!("/events/{}", post(&service, "short"));
    let answer = ask(service.address, "GET", &short, "Accept-Encoding: gzip\r\n", "");
    assert_eq!((answer.header("content-encoding"), answer.header("vary")), (None, None));
}

fn split(answer: &[u8]) -> (String, Vec<u8>) {
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (String::from_utf8(answer[..at].to_vec()).unwrap(), answer[at + 4..].to_vec())
}

fn dechunk(head: &str, body: Vec<u8>) -> Vec<u8> {
    if !head.contains("transfer-encoding: chunked") {
        return body;
    }
    let (mut rest, mut whole) = (&body[..], Vec::new());
    loop {
        let at = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = std::str::from_utf8(&rest[..at]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&rest[at + 2..at + 2 + size]);
        rest = &rest[at + 2 + size + 2..];
    }
}

fn unzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_long_list_is_sent_as_it_was_when_it_was_asked_for() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let mut client = Client::connect(service.address).unwrap();
    // Twice what is kept as bytes.
    let paths = post_many(&service, 1700, &long_event());
    let whole = send(service.address, "GET", "/events", None);
    assert_eq!(whole.json().as_array().unwrap().len(), 1700);
    let length = whole.header("content-length").unwrap().parse();
    assert_eq!(length, Ok(whole.body.len()));

    let mut stream = connect(service.address);
    stream
        .write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    stream.read_exact(&mut [0; 12]).unwrap();
    for path in paths.iter().rev().take(100) {
        assert_eq!(client.send("DELETE", path, "").unwrap().status, 200);
    }
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with(&whole.body), "what was removed meanwhile is in it");
    let left = send(service.address, "GET", "/events", None).json();
    assert_eq!(left.as_array().unwrap().len(), 1600);
}

#[test]
fn a_new_resource_says_where_it_is() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let made = send(service.address, "POST", "/events", Some(EVENT));
    let read = send(service.address, "GET", made.header("location").unwrap(), None);
    assert_eq!(read.body, made.body);
    assert_eq!(read.header("etag"), made.header("etag"));
}

#[test]
fn requests_writes_and_connections_are_counted() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let item = format!("/events/{}", post(&service, "one"));
    send(service.address, "GET", &item, None);
    send(service.address, "GET", "/events/nonsense", None);
    send(service.address, "DELETE", "/events", None);
    for (sample, value) in [
        ("eventpost_http_requests_total{route=\"list\",method=\"POST\",status=\"201\"}", 1),
        ("eventpost_http_requests_total{route=\"item\",method=\"GET\",status=\"200\"}", 1),
        ("eventpost_http_requests_total{route=\"item\",method=\"GET\",status=\"404\"}", 1),
        ("eventpost_http_requests_total{route=\"list\",method=\"DELETE\",status=\"405\"}", 1),
        ("eventpost_http_request_seconds_count{route=\"item\",method=\"GET\"}", 2),
        ("eventpost_store_batch_writes_count", 1),
        ("eventpost_store_sync_seconds_count", 1),
        ("eventpost_resources", 1),
    ] {
        assert_eq!(service.metric(sample), value, "{sample}");
    }
    service.wait_for_metric("eventpost_connections ", 1);
    for (sample, file) in
        [("eventpost_store_bytes", "data.sqlite"), ("eventpost_store_log_bytes", "data.sqlite-wal")]
    {
        // PostgreSQL has its files elsewhere.
        if let Ok(file) = std::fs::metadata(dir.path().join(file)) {
            assert_eq!(service.metric(sample), file.len());
        }
    }
    let answer = send(service.address, "GET", "/metrics", None);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
}

#[test]
fn every_request_is_found_again_in_the_access_log() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let dir = temp_dir();
    let args = ["--access-log", "all", "--log-format", "json"];
    let (out, log) = std::io::pipe().unwrap();
    let service = Service::start_with("events", dir.path(), &args, Stdio::from(log));
    let headers = format!("X-Request-Id: mine-7\r\nTraceparent: {TRACE}\r\n");
    let named = ask(service.address, "GET", "/events?limit=5", &headers, "");
    assert_eq!(named.header("x-request-id"), Some("mine-7"));
    assert_eq!(named.header("traceparent"), Some(TRACE));
    let other = send(service.address, "POST", "/events", Some("{}"));
    let made = other.header("x-request-id").unwrap();
    assert_eq!(made.len(), 16);
    signal(service.pid(), Signal::TERM);
    assert_eq!(service.exit_code(), Some(0));
    let lines: Vec<Value> = BufReader::new(out)
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["request_id"], "mine-7");
    assert_eq!(lines[0]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(lines[0]["path"], "/events?limit=5");
    assert_eq!(lines[0]["bytes"], 2);
    assert_eq!(lines[1]["request_id"], made);
    assert_eq!((&lines[1]["method"], &lines[1]["status"]), (&"POST".into(), &422.into()));
}

#[test]
fn a_service_stops_even_if_nobody_reads_its_access_log() {
    let dir = temp_dir();
    let (unread, log) = std::io::pipe().unwrap();
    let args = ["--access-log", "all"];
    let service = Service::start_with("events", dir.path(), &args, Stdio::from(log));
    let mut stream = std::net::TcpStream::connect(service.address).unwrap();
    let mut answers = stream.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut answers, &mut std::io::sink()));
    let requests = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
    wait_for("lines to be dropped", || {
        stream.write_all(requests.as_bytes()).unwrap();
        (service.metric("eventpost_access_log_dropped_total") > 0).then_some(())
    });
    // A service that waits for its reader ends when the pipe is closed, and fails this test.
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(20));
        drop(unread);
    });
    let begin = std::time::Instant::now();
    assert_eq!(service.terminate(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
}
