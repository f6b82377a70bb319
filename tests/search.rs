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

fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap()
}

/// When an event is, which orders what is found.
fn time(event: &Value) -> [&str; 2] {
    ["date", "time"].map(|field| text(event, field))
}

/// The words of a text, without the accents that occur here.
fn words(text: &str) -> Vec<String> {
    let plain = |c| match c {
        'é' => 'e',
        'ñ' => 'n',
        'ó' | 'ö' => 'o',
        'ú' => 'u',
        other => other,
    };
    let text: String = text.to_lowercase().chars().map(plain).collect();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Whether each word of a text begins a word of these fields.
fn has(event: &Value, fields: &[&str], wanted: &str) -> bool {
    let own: Vec<_> = fields.iter().flat_map(|field| words(text(event, field))).collect();
    words(wanted).iter().all(|word| own.iter().any(|own| own.starts_with(word.as_str())))
}

const TEXTS: [&str; 5] = ["title", "description", "place", "organizer", "topics"];

/// A query, and whether it should find an event.
type Search<'a> = (&'a str, &'a dyn Fn(&Value) -> bool);

/// Holds what a query finds against looking at each event.
fn compare(client: &mut Client, events: &[Value], (query, is): Search<'_>) {
    let key = |event: &&Value| text(event, "id").to_owned();
    let mut expected: Vec<_> = events.iter().filter(|event| is(event)).collect();
    expected.sort_by_key(key);
    let found = all(client, &format!("{query}&limit=200"));
    let mut by_id: Vec<_> = found.iter().collect();
    by_id.sort_by_key(key);
    assert_eq!(by_id, expected, "{query}");
    assert!(found.is_sorted_by_key(time), "{query}: {found:?}");
    // Other pages and the other order are of the same events.
    let reversed: Vec<_> = found.iter().rev().cloned().collect();
    for (order, found) in [("asc", &found), ("desc", &reversed)] {
        let query = format!("{query}&order={order}&limit=7");
        assert_eq!(all(client, &query), *found, "{query}");
    }
}

/// Every kind of search, and what it should find.
fn check(client: &mut Client, events: &[Value]) {
    let topic = |event: &Value, wanted: &[&str]| {
        text(event, "topics").split(',').any(|topic| wanted.contains(&topic.trim()))
    };
    let searches: [Search<'_>; 18] = [
        ("topic=MUSIC", &|it| topic(it, &["music"])),
        ("topic=musica", &|it| topic(it, &["Música"])),
        ("topic=rock+%26+roll", &|it| topic(it, &["rock & roll"])),
        // Topics are compared as a whole.
        ("topic=rock", &|_| false),
        ("from=2026-03-05&to=2026-03-04", &|_| false),
        ("from=2026-03-05&to=2026-03-05", &|it| text(it, "date") == "2026-03-05"),
        ("from=2026-11-20", &|it| text(it, "date") >= "2026-11-20"),
        ("to=2026-1-3", &|it| text(it, "date") <= "2026-01-03"),
        ("q=CAFE", &|it| text(it, "title").contains("Café") || text(it, "place").contains("Café")),
        ("place=caf%C3%A9+c", &|it| text(it, "place") == "Café Central"),
        ("q=is+17+number", &|it| has(it, &TEXTS, "is 17 number")),
        // The beginning of a word in each of them, but the middle of one in none.
        ("q=expl", &|_| true),
        ("q=xplains", &|_| false),
        // Operators and quotes are text.
        ("q=%22harvest%22*+(-market)", &|it| text(it, "title") == "Harvest market"),
        ("q=harvest+OR+talk", &|_| false),
        ("q=title%3Aharvest", &|_| false),
        ("place=%22*%22", &|_| false),
        ("q=opera&topic=food&from=2026-02-01&to=2026-10-31", &|it| {
            let date = text(it, "date");
            text(it, "title") == "Ópera"
                && topic(it, &["food"])
                && ("2026-02-01"..="2026-10-31").contains(&date)
        }),
    ];
    for search in searches {
        compare(client, events, search);
    }
}

/// Searches for beginnings of words that the events have, of every length.
fn check_beginnings(client: &mut Client, events: &[Value]) {
    for n in 0..60 {
        let event = &events[n * 7 % events.len()];
        let beginning = |field: &str, at: usize| {
            let words = words(text(event, field));
            let word = words.get(at % words.len().max(1)).map_or("none", String::as_str);
            word.chars().take(n / 3 % 9 + 1).collect::<String>()
        };
        let (one, other) = (beginning("description", n), beginning(TEXTS[n % 5], n / 5));
        let place = if n % 4 == 0 { beginning("place", n) } else { String::new() };
        let query = format!("q={}+{other}&place={place}", one.to_uppercase());
        let is = |event: &Value| {
            has(event, &TEXTS, &format!("{one} {other}")) && has(event, &["place"], &place)
        };
        compare(client, events, (&query, &is));
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
            let query = format!("q=number+{n}");
            compare(&mut client, &events, (&query, &|it| has(it, &TEXTS, &format!("number {n}"))));
        }
    }
    check(&mut client, &events);
    check_beginnings(&mut client, &events);

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
    check_beginnings(&mut client, &events);
    drop(client);
    assert_eq!(service.terminate(), Some(0));
    let service = Service::start("events", dir.path());
    check(&mut Client::connect(service.address).unwrap(), &events);
}

#[test]
fn a_page_continues_after_an_event_that_is_gone() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let mut client = Client::connect(service.address).unwrap();
    for n in 0..12 {
        assert_eq!(client.send("POST", "/events", &event(n).to_string()).unwrap().status, 201);
    }
    for order in ["asc", "desc"] {
        let everything = all(&mut client, &format!("q=host&order={order}"));
        let (first, next) = page(&mut client, &format!("q=host&order={order}&limit=2"));
        assert_eq!(first, everything[..2], "{order}");
        let path = format!("/events/{}", text(&first[1], "id"));
        assert_eq!(client.send("DELETE", &path, "").unwrap().status, 200);
        assert_eq!(all(&mut client, &next.unwrap()), everything[2..]);
        // Its id alone does not say where it was, that of another does.
        let after = |id: &str| format!("/events?q=host&order={order}&after={id}");
        let gone = client.send("GET", &after(text(&first[1], "id")), "").unwrap();
        assert_eq!(gone.status, 404, "{gone:?}");
        let (rest, _) = page(&mut client, &after(text(&first[0], "id"))["/events?".len()..]);
        assert_eq!(rest, everything[2..]);
    }
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
        ("q=a&at=soon", "at"),
    ] {
        let refused = send(service.address, "GET", &format!("/events?{query}"), None);
        assert_eq!(refused.status, 400, "{query}: {refused:?}");
        assert_eq!(refused.json()["details"][0]["field"], field, "{query}");
    }
    let after = "/events?q=a&after=5e0745fe9c1a2b3c4d5e6f70";
    assert_eq!(send(service.address, "GET", after, None).status, 404, "nobody knows where that is");
    let many = send(service.address, "GET", "/events?q=a&limit=1001", None);
    assert_eq!((many.status, &many.json()["details"][0]["field"]), (422, &json!("limit")));
    for query in ["_=1", "q=&topic=&from=", "q=+&place=%20", "color=red"] {
        let list = send(service.address, "GET", &format!("/events?{query}"), None);
        assert_eq!(list.body, format!("[{}]", made.body), "{query}");
    }
}
