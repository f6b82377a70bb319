//! What was answered survives a crash in the middle of many writes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::http::{send, try_send};
use crate::harness::{Service, temp_dir, wait_for};

const WRITES: usize = 1000;
const CLIENTS: usize = 32;

#[test]
#[expect(clippy::print_stdout, reason = "how much was proved belongs to the result")]
fn every_answered_write_survives_kill_9_amid_a_thousand() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let (address, answered) = (service.address, Mutex::new(HashMap::new()));
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| write_until_it_dies(address, &next, &answered));
        }
        // The crash comes when a good part is answered and the rest is under way.
        wait_for("a third of the writes", || {
            (answered.lock().unwrap().len() > WRITES / 3).then_some(())
        });
        service.kill();
    });
    let answered = answered.into_inner().unwrap();
    println!("crash: {} of {WRITES} writes were answered before the kill", answered.len());
    assert!(answered.len() < WRITES, "the crash came too late to prove anything");

    let service = Service::start("events", dir.path());
    let list = send(service.address, "GET", "/events", None).json();
    let stored: HashMap<_, _> = list.as_array().unwrap().iter().map(|e| (id(e), e)).collect();
    for (id, document) in &answered {
        let stored = stored.get(id.as_str()).unwrap_or_else(|| panic!("{id} is lost"));
        assert_eq!(*stored, document);
    }
    // Written but not answered in time: allowed, if whole.
    for event in stored.values() {
        assert_eq!(event["description"].as_str().unwrap().len(), 100, "{event} is torn");
    }
}

/// Posts events until the service is gone, and keeps what was answered.
fn write_until_it_dies(
    address: SocketAddr,
    next: &AtomicUsize,
    answered: &Mutex<HashMap<String, Value>>,
) {
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= WRITES {
            return;
        }
        let body = json!({"title": format!("event {n}"), "description": "d".repeat(100),
            "date": "2020-12-12", "time": "20:50:12"});
        let Ok(answer) = try_send(address, "POST", "/events", Some(&body.to_string())) else {
            return;
        };
        // An answer that the kill cut short was not received.
        if let Ok(event) = serde_json::from_str::<Value>(&answer.body) {
            assert_eq!(answer.status, 201);
            answered.lock().unwrap().insert(id(&event).into(), event);
        }
    }
}

fn id(event: &Value) -> &str {
    event["id"].as_str().unwrap()
}
