//! Events that are searched for, held against looking at each of them.

use serde_json::{Value, json};

use crate::harness::http::{Client, send};
use crate::harness::{Service, temp_dir};

const TITLES: [&str; 6] =
    ["Harvest market", "Café philosophique", "Ópera", "A talk", "Rust", "ÑAM"];
const PLACES: [&str; 4] = ["Plaza Mayor", "Café Central", "", "Köln"];
const TOPICS: [&str; 5] = ["music", "Música, food", "talk", "", "food , rock & roll"];

/// An event, of a number.
fn event(n: usize) -> Value {
    json!({
        "title": TITLES[n % 6],
        "description": format!("The host explains what number {n} is about."),
        "date": format!("2026-{:02}-{:02}", n % 12 + 1, n / 7 % 28 + 1),
        "time": format!("{:02}:00:00", n % 24),
        "place": PLACES[n % 4],
        "organizer": "",
        "topics": TOPICS[n / 3 % 5],
    })
}

/// The list that a query is answered with, and the link to what follows.
fn page(client: &mut Client, query: &str) -> (Vec<Value>, Option<String>) {
    let answer = client.send("GET", &format!("/events?{query}"), "").unwrap();
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    let next = answer.header("link").map(|link| {
        let path = link.strip_prefix("</events?").unwrap();
        path.split_once('>').unwrap().0.to_owned()
    });
    (answer.json().as_array().unwrap().clone(), next)
}

/// All that a query finds, page by page.
fn all(client: &mut Client, query: &str) -> Vec<Value> {
    let (mut found, mut next) = page(client, query);
    while let Some(query) = next {
        let (more, then) = page(client, &query);
        found.extend(more);
        next = then;
    }
    found
}

/// What a query should find, by looking at each.
fn looked_at(events: &[Value], is: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut found: Vec<_> = events.iter().filter(|event| is(event)).cloned().collect();
    let key = |event: &Value| {
        ["date", "time", "id"].map(|field| event[field].as_str().unwrap().to_owned())
    };
    found.sort_by_key(key);
    found
}

fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap()
}

/// A query, and whether it should find an event.
type Search<'a> = (&'a str, &'a dyn Fn(&Value) -> bool);

/// Every search, and what it should find.
fn check(client: &mut Client, events: &[Value]) {
    let topic = |event: &Value, wanted: &[&str]| {
        text(event, "topics").split(',').any(|topic| wanted.contains(&topic.trim()))
    };
    let searches: [Search<'_>; 13] = [
        ("topic=MUSIC", &|it| topic(it, &["music"])),
        ("topic=musica", &|it| topic(it, &["Música"])),
        ("topic=rock+%26+roll", &|it| topic(it, &["rock & roll"])),
        ("topic=foo", &|_| false),
        ("from=2026-03-05&to=2026-03-04", &|_| false),
        ("from=2026-03-05&to=2026-03-05", &|it| text(it, "date") == "2026-03-05"),
        ("from=2026-11-20", &|it| text(it, "date") >= "2026-11-20"),
        ("to=2026-1-3", &|it| text(it, "date") <= "2026-01-03"),
        ("q=CAFE", &|it| text(it, "title").contains("Café") || text(it, "place").contains("Café")),
        ("place=caf%C3%A9", &|it| text(it, "place").contains("Café")),
        ("q=number+17+is", &|it| text(it, "description").contains("number 17 is")),
        // Shorter than what the index knows, and in each of them.
        ("q=is", &|_| true),
        ("q=opera&topic=food&from=2026-02-01&to=2026-10-31", &|it| {
            let date = text(it, "date");
            text(it, "title") == "Ópera"
                && topic(it, &["food"])
                && ("2026-02-01"..="2026-10-31").contains(&date)
        }),
    ];
    for (query, is) in searches {
        let expected = looked_at(events, is);
        let reversed: Vec<_> = expected.iter().rev().cloned().collect();
        for limit in [200, 7] {
            for (order, expected) in [("", &expected), ("&order=desc", &reversed)] {
                let query = format!("{query}{order}&limit={limit}");
                assert_eq!(all(client, &query), *expected, "{query}");
            }
        }
    }
}

#[test]
fn a_search_finds_what_looking_at_each_event_finds() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let mut client = Client::connect(service.address).unwrap();
    let mut events = Vec::new();
    for n in 0..400 {
        let made = client.send("POST", "/events", &event(n).to_string()).unwrap();
        assert_eq!(made.status, 201, "{made:?}");
        events.push(made.json());
        // What was answered is found at once.
        if n % 100 == 0 {
            let found = all(&mut client, &format!("q=number+{n}+is"));
            assert_eq!(found, [events[n].clone()]);
        }
    }
    check(&mut client, &events);

    for n in (0..400).step_by(3).rev() {
        let path = format!("/events/{}", text(&events[n], "id"));
        if n % 2 == 0 {
            assert_eq!(client.send("DELETE", &path, "").unwrap().status, 200);
            events.remove(n);
        } else {
            let changed = client.send("PUT", &path, &event(n + 1000).to_string()).unwrap();
            events[n] = changed.json();
        }
    }
    check(&mut client, &events);
    drop(client);
    assert_eq!(service.terminate(), Some(0));
    let service = Service::start("events", dir.path());
    check(&mut Client::connect(service.address).unwrap(), &events);
}

#[test]
fn a_search_that_makes_no_sense_is_refused_and_others_parameters_are_not_searches() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let made = send(service.address, "POST", "/events", Some(crate::harness::EVENT));
    for (query, field) in [
        ("from=soon", "from"),
        ("to=2026-13-01", "to"),
        ("q=a&q=b", "q"),
        ("q=a&limit=0", "limit"),
        ("order=up", "order"),
    ] {
        let refused = send(service.address, "GET", &format!("/events?{query}"), None);
        assert_eq!(refused.status, 400, "{query}: {refused:?}");
        assert_eq!(refused.json()["details"][0]["field"], field, "{query}");
    }
    let after = "/events?q=a&after=5e0745fe9c1a2b3c4d5e6f70";
    assert_eq!(send(service.address, "GET", after, None).status, 404, "nobody knows where that is");
    for query in ["_=1", "q=&topic=&from=", "color=red"] {
        let list = send(service.address, "GET", &format!("/events?{query}"), None);
        assert_eq!(list.body, format!("[{}]", made.body), "{query}");
    }
}
