//! What the index of a search takes: topics that are gone are gone from it, and the shortest
//! searches keep nobody waiting.

use std::thread;

use serde_json::json;

use crate::harness::http::{Client, send};
use crate::harness::{EVENT, Service, temp_dir};

const CLIENTS: usize = 32;

/// An event with many topics, none of which another event has.
fn with_topics(n: usize) -> String {
    let topics: Vec<_> = (0..6).map(|topic| format!("{n:x}x{topic}")).collect();
    let event = json!({"title": format!("title {n}"), "description": "d".repeat(20),
        "date": "2026-01-02", "time": "03:04:05", "topics": topics.join(",")});
    event.to_string()
}

/// Stores events and removes them again.
fn come_and_go(service: &Service, count: usize) {
    let client = |client: usize| {
        let mut connection = Client::connect(service.address).unwrap();
        let numbers = (client..count).step_by(CLIENTS);
        let paths: Vec<_> = numbers
            .map(|n| {
                let made = connection.send("POST", "/events", &with_topics(n)).unwrap();
                assert_eq!(made.status, 201, "{made:?}");
                made.header("location").unwrap().to_owned()
            })
            .collect();
        for path in paths {
            assert_eq!(connection.send("DELETE", &path, "").unwrap().status, 200);
        }
    };
    thread::scope(|scope| {
        for n in 0..CLIENTS {
            scope.spawn(move || client(n));
        }
    });
}

#[test]
fn topics_of_removed_events_are_gone() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    come_and_go(&service, 2000);
    let before = service.memory();
    come_and_go(&service, 20_000);
    let taken = service.memory().saturating_sub(before);
    assert!(taken < 32 << 20, "{taken} bytes");
    for query in ["topic=7x0", "topic=4e1fx5", "q=title", "q=t", "from=2026-01-01"] {
        let found = send(service.address, "GET", &format!("/events?{query}"), None);
        assert_eq!(found.body, "[]", "{query}");
    }
    assert_eq!(service.terminate(), Some(0));
    let service = Service::start("events", dir.path());
    assert!(service.memory() < 48 << 20, "{} bytes after a start", service.memory());
}

#[test]
fn many_searches_for_one_or_two_letters_are_answered_and_others_between_them() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    crate::harness::post_many(&service, 3000, &EVENT.replace("\"t\"", "\"the title\""));
    let service = &service;
    thread::scope(|scope| {
        for n in 0..200 {
            let query = ["t", "th", "d", "dd"][n % 4];
            scope.spawn(move || {
                let path = format!("/events?q={query}&limit=20");
                let found = send(service.address, "GET", &path, None);
                assert_eq!(found.status, 200, "{found:?}");
                assert_eq!(found.json().as_array().unwrap().len(), 20);
            });
        }
        for _ in 0..20 {
            let made = send(service.address, "POST", "/events", Some(EVENT));
            assert_eq!(made.status, 201, "{made:?}");
            let path = made.header("location").unwrap();
            assert_eq!(send(service.address, "GET", path, None).body, made.body);
            assert_eq!(send(service.address, "GET", "/?q=th", None).status, 200);
        }
    });
}
