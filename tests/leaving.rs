//! Clients that leave in the middle of a write: what is stored is also found.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::http::send;
use crate::harness::{Service, temp_dir, wait_for};
use crate::mail;
use crate::mail::relay::Relay;

/// Sends a POST and closes the connection without waiting for the answer.
fn post_and_leave(service: &Service, path: &str, body: &Value) {
    let body = body.to_string();
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(service.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    // Long enough for most requests to be read, too short for most writes to end.
    std::thread::sleep(Duration::from_millis(1));
}

/// How many resources a list has.
fn count(service: &Service, path: &str) -> usize {
    send(service.address, "GET", path, None).json().as_array().unwrap().len()
}

#[test]
fn events_whose_clients_have_left_are_found() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    for n in 0..100 {
        let event = json!({"title": "Leaving early", "description": "d".repeat(20),
            "date": "2026-01-02", "time": "03:04:05", "place": format!("Gate {n}")});
        post_and_leave(&service, "/events", &event);
    }
    // A request that is not yet read when its connection closes is never carried out.
    // Each that is stored is found, and counted.
    let posted = r#"eventpost_http_requests_total{route="list",method="POST",status="201"}"#;
    let stored = wait_for("all stored events to be found", || {
        let (stored, found) = (count(&service, "/events"), count(&service, "/events?q=leaving"));
        let counted = service.metric(posted);
        (stored > 50 && stored == found && counted == stored as u64).then_some(stored)
    });
    assert_eq!(service.terminate(), Some(0));
    let service = Service::start("events", dir.path());
    assert!(count(&service, "/events") >= stored, "the stored events are still there");
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn notifications_whose_clients_have_left_are_sent() {
    let dir = temp_dir();
    let relay = Relay::start(dir.path());
    let service = mail::start(&dir.path().join("data"), &relay, &[]);
    for n in 0..20 {
        let due_now = mail::notification(&format!("reader-{n}@example.org"), -1);
        post_and_leave(&service, "/notifications", &due_now);
    }
    wait_for("all stored notifications to be sent", || {
        let (stored, sent) =
            (count(&service, "/notifications"), count(&service, "/notifications?state=sent"));
        (stored > 10 && stored == sent).then_some(())
    });
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn a_service_that_stops_begins_no_more_mails() {
    let dir = temp_dir();
    let relay = Relay::start(dir.path());
    let service = mail::start(&dir.path().join("data"), &relay, &["--mail-rate", "1000"]);
    for n in 0..40 {
        // The relay answers each of them a second after it took it.
        let due_now = mail::notification(&format!("slow-{n}@example.org"), -1).to_string();
        assert_eq!(send(service.address, "POST", "/notifications", Some(&due_now)).status, 201);
    }
    wait_for("the first mails", || (!relay.accepted().is_empty()).then_some(()));
    assert_eq!(service.terminate(), Some(0));
    // Those under way, and not the other thirty.
    assert!(relay.accepted().len() <= 12, "{} mails were sent", relay.accepted().len());
}
