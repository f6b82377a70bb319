//! What was answered survives crashes in the middle of many writes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::http::{Client, send};
use crate::harness::{Service, temp_dir, wait_for};

const CLIENTS: usize = 16;
/// How often the service is killed; the long form is `EVENTPOST_KILLS=200`.
const KILLS: usize = 20;

/// What a client knows of the events that it alone changes.
#[derive(Default)]
struct Known {
    /// The titles of those whose last change was answered; `None` is removed.
    answered: HashMap<String, Option<String>>,
    /// The change that was under way when the service died, if it had an id yet.
    under_way: Option<(String, Option<String>)>,
    /// Events that were being made then.
    making: usize,
    /// Numbers titles, and chooses what to do.
    next: usize,
}

#[test]
#[expect(clippy::print_stdout, reason = "how much was proved belongs to the result")]
fn every_answered_write_survives_every_kill_9() {
    let kills = std::env::var("EVENTPOST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let dir = temp_dir();
    let mut known: Vec<Known> = (0..CLIENTS).map(|_| Known::default()).collect();
    let (mut answered, mut doubtful, mut checkpoints) = (0, 0, 0);
    for kill in 0..kills {
        let service = Service::start("events", dir.path());
        doubtful += check(&service, &mut known);
        let count = AtomicUsize::new(0);
        let address = service.address;
        std::thread::scope(|scope| {
            for known in &mut known {
                scope.spawn(|| write_until_it_dies(address, known, &count));
            }
            // Now earlier, now later, so that each kill meets another moment.
            let enough = 50 + kill * 97 % 400;
            wait_for("some writes", || (count.load(Ordering::Relaxed) > enough).then_some(()));
            checkpoints += service.metric("eventpost_store_checkpoints_total");
            service.kill();
        });
        answered += count.load(Ordering::Relaxed);
    }
    let begin = Instant::now();
    let service = Service::start("events", dir.path());
    doubtful += check(&service, &mut known);
    println!(
        "crash: {kills} kills, {answered} answered writes all there, {doubtful} unanswered ones \
         whole or not there, {checkpoints} checkpoints, last start {:.1?}",
        begin.elapsed()
    );
}

/// Compares what is stored with what was answered; returns how many changes were
/// stored though they were not answered.
fn check(service: &Service, known: &mut [Known]) -> usize {
    let list = send(service.address, "GET", "/events", None).json();
    let mut stored = HashMap::new();
    for event in list.as_array().unwrap() {
        assert_eq!(event["description"].as_str().unwrap().chars().count(), 400, "torn: {event}");
        let title = event["title"].as_str().unwrap().to_owned();
        stored.insert(event["id"].as_str().unwrap().to_owned(), title);
    }
    let mut doubtful = 0;
    for known in &mut *known {
        for (id, answered) in &mut known.answered {
            let found = stored.remove(id);
            if found != *answered {
                let under_way = known.under_way.as_ref().filter(|(other, _)| other == id);
                let allowed = under_way.map(|(_, change)| change);
                assert_eq!(allowed, Some(&found), "{id}: {answered:?} was answered");
                *answered = found;
                doubtful += 1;
            }
        }
        known.under_way = None;
    }
    // Stored, but not answered: no client knows their ids.
    let making: usize = known.iter_mut().map(|known| std::mem::take(&mut known.making)).sum();
    assert!(stored.len() <= making, "nobody made {stored:?}");
    doubtful += stored.len();
    known[0].answered.extend(stored.into_iter().map(|(id, title)| (id, Some(title))));
    doubtful
}

/// Makes, changes and removes events until the service is killed, and records the answers.
fn write_until_it_dies(address: SocketAddr, known: &mut Known, count: &AtomicUsize) {
    let Ok(mut client) = Client::connect(address) else { return };
    loop {
        known.next += 1;
        let title = known.next.to_string();
        let body = json!({"title": title, "description": "\u{1f389}".repeat(400),
            "date": "2020-12-12", "time": "20:50:12"})
        .to_string();
        let living = known.answered.iter().find(|(_, title)| title.is_some());
        let (method, id) = match (known.next % 7, living) {
            (0, Some((id, _))) => ("DELETE", Some(id.clone())),
            (1..5, Some((id, _))) => ("PUT", Some(id.clone())),
            _ => ("POST", None),
        };
        let change = (method != "DELETE").then_some(title);
        let path = id.as_ref().map_or("/events".into(), |id| format!("/events/{id}"));
        match &id {
            Some(id) => known.under_way = Some((id.clone(), change.clone())),
            None => known.making = 1,
        }
        let Ok(answer) = client.send(method, &path, &body) else { return };
        assert!([200, 201].contains(&answer.status), "{method}: {answer:?}");
        let event: Value = answer.json();
        known.answered.insert(event["id"].as_str().unwrap().into(), change);
        (known.under_way, known.making) = (None, 0);
        count.fetch_add(1, Ordering::Relaxed);
    }
}
