//! The page for people, in a real browser: searching, looking at an event, and being
//! reminded of it by a mail.

use std::net::{SocketAddr, TcpStream};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::browser::Browser;
use crate::harness::cli::World;
use crate::harness::http::{ask, send};
use crate::harness::tokens::Tokens;
use crate::harness::{Service, Signal, program, signal, temp_dir, wait_for};
use crate::mail::relay::Relay;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// An event so many seconds from now, in this machine's time zone, which is UTC in tests.
fn event(title: &str, seconds: i64) -> Value {
    let at = Timestamp::now() + SignedDuration::from_secs(seconds);
    json!({
        "title": title,
        "description": "Cheese, wine and bread from the farms.\nChildren are <b>welcome</b>.",
        "date": at.strftime("%Y-%m-%d").to_string(),
        "time": at.strftime("%H:%M:%S").to_string(),
        "place": "Plaza Mayor",
        "organizer": "Farms & friends",
        "topics": "food, market",
    })
}

fn make(address: SocketAddr, event: &Value) -> String {
    make_with("", address, event)
}

fn make_with(header: &str, address: SocketAddr, event: &Value) -> String {
    let made = ask(address, "POST", "/events", header, &event.to_string());
    assert_eq!(made.status, 201, "{made:?}");
    made.header("location").unwrap().replace("/events/", "/show/")
}

/// Finds an event and opens it, by the keyboard alone.
fn search_with_the_keyboard(browser: &Browser, events: SocketAddr, path: &str) {
    // By either name of this machine, as people type it.
    for host in ["127.0.0.1", "localhost"] {
        browser.go(&format!("http://{host}:{}/", events.port()));
        let list = browser.text("main");
        assert!(list.contains("Café philosophique") && list.contains("Harvest market"), "{list}");
        assert!(!list.contains("Long ago"), "{list}");
    }
    assert_eq!(browser.barriers(), json!([]));
    assert_eq!(browser.label("#q"), "Search");
    assert_eq!(browser.run("return document.querySelectorAll('h1').length"), 1);
    // The keyboard alone: to the search, and from what is found to the event.
    browser.run("document.querySelector('#q').focus()");
    browser.press(&format!("harvest{ENTER}"));
    browser.wait_for_text("h1", "Search results");
    let found = browser.text("ul.events");
    assert!(found.contains("Harvest market <script>") && !found.contains("Café"), "{found}");
    browser.run("document.querySelector('summary').focus()");
    browser.press(&format!("{TAB}{ENTER}"));
    browser.wait_for_text("h1", "Harvest market <script>alert(1)</script>");
    assert!(browser.run("return location.pathname").as_str().unwrap() == path);
    let text = browser.text("#description");
    assert!(text.contains("farms.\nChildren are <b>welcome</b>."), "{text}");
}

/// Asks for a reminder, which is delivered once it is confirmed, and ends all mails.
fn remind(browser: &Browser, relay: &Relay, path: &str) {
    assert_eq!(browser.label("#mail"), "Email address");
    let room = "return document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.run(room), true, "the page is wider than a phone");
    // Only what is still to come can be chosen.
    assert_eq!(browser.text("#before"), "when it starts");
    browser.write("#mail", "somebody@example.org");
    browser.click("#remind button");
    browser.wait_for_text("#status", "We have sent a mail to somebody@example.org.");
    assert_eq!(browser.barriers(), json!([]));
    let mail = |count: usize| {
        let mail = wait_for("a mail", || relay.accepted().get(count - 1).cloned());
        assert_eq!(mail["to"], "somebody@example.org");
        mail
    };
    let asks = mail(1);
    assert!(asks["subject"].as_str().unwrap().starts_with("Confirm your reminder: Harvest market"));
    browser.go(&link(&asks, "/confirm?"));
    browser.wait_for_text("h1", "Confirm your reminder");
    assert!(browser.text("main").contains("Harvest market <script>alert(1)</script>"));
    assert_eq!(browser.barriers(), json!([]));
    browser.click("button");
    browser.wait_for_text("h1", "Reminder confirmed");
    assert_eq!(browser.barriers(), json!([]));
    let reminds = mail(2);
    assert_eq!(reminds["subject"], "Reminder: Harvest market <script>alert(1)</script>");
    let text = reminds["text"].as_str().unwrap();
    assert!(text.contains("Plaza Mayor") && text.contains(path), "{text}");

    browser.go(&link(&reminds, "/unsubscribe?"));
    browser.wait_for_text("h1", "Stop all mails");
    assert_eq!(browser.barriers(), json!([]));
    browser.click("button");
    browser.wait_for_text("h1", "No more mails");
    assert_eq!(browser.barriers(), json!([]));
    browser.click("button");
    browser.wait_for_text("h1", "Mails are sent again");
    assert_eq!(browser.console(), Vec::<Value>::new());
}

/// The link in the text of a mail that has this part.
fn link(mail: &Value, part: &str) -> String {
    let mut words = mail["text"].as_str().unwrap().split_whitespace();
    words.find(|word| word.contains(part)).unwrap_or_else(|| panic!("{mail}")).to_owned()
}

/// Where a reminder cannot be made, the page says why.
fn check_refused_reminders(browser: &Browser, world: &World) {
    let holder = |service| world.holder(service).unwrap();
    let (events, notifications) = (holder("events"), holder("notifications"));
    let later = make(events.address, &event("Another market", 20 * 86_400));
    browser.go(&format!("http://{}{later}", events.address));
    browser.write("#mail", "nobody@example");
    browser.click("#remind button");
    browser.wait_for_text("#status", "The email address must be like name@example.org.");
    signal(notifications.pid, Signal::KILL);
    wait_for("its end", || TcpStream::connect(notifications.address).is_err().then_some(()));
    browser.click("#remind button");
    browser.wait_for_text("#status", "The reminder service cannot be reached.");
}

#[test]
#[ignore = "needs Chromium: run scripts/test"]
fn people_search_open_an_event_and_are_reminded_by_mail() {
    let world = World::new();
    let relay = Relay::start(world.path());
    world.describe(&format!(
        "stack: test\nservices:\n  events: {{build: events, page: {{reminders: notifications}}}}\n  \
         notifications:\n    build: notifications\n    mail: {{host: localhost, port: {}, \
         security: none, from: a@example.org}}\n",
        relay.port
    ));
    world.up().succeeded();
    let events = world.holder("events").unwrap().address;
    make(events, &event("Café philosophique", 3 * 86_400));
    make(events, &event("Long ago", -40 * 86_400));

    let browser = Browser::open(360, 740);
    let soon = make(events, &event("Harvest market <script>alert(1)</script>", 25));
    search_with_the_keyboard(&browser, events, &soon);
    remind(&browser, &relay, &soon);
    // The event has started by now.
    browser.go(&format!("http://{events}{soon}"));
    browser.wait_for_text("#status", "This event has started.");
    check_refused_reminders(&browser, &world);
    assert!(!browser.picture().is_empty());
    world.run(&["down", "--local"]).succeeded();
}

#[test]
#[ignore = "needs Chromium: run scripts/test"]
fn without_a_key_for_reminders_the_page_searches_and_offers_none() {
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let mut command = std::process::Command::new(program("events"));
    command.env("ACCESS_TOKENS", tokens.on_one_line());
    command.args(["--notifications-url", "http://127.0.0.1:1"]);
    let service = Service::start_command(command, dir.path());
    let header = tokens.header("write");
    make_with(&header, service.address, &event("Café philosophique", 3 * 86_400));
    let shown = make_with(&header, service.address, &event("Harvest market", 86_400));

    let browser = Browser::open(360, 740);
    browser.go(&format!("http://{}/", service.address));
    browser.wait_for_text("main", "Café philosophique");
    browser.run("document.querySelector('#q').focus()");
    browser.press(&format!("harvest{ENTER}"));
    browser.wait_for_text("h1", "Search results");
    assert!(!browser.text("ul.events").contains("Café"));
    browser.click("ul.events a");
    browser.wait_for_text("h1", "Harvest market");
    assert_eq!(browser.run("return location.pathname"), json!(shown));
    let count = "return document.querySelectorAll('form, script, #remind, #status').length";
    assert_eq!(browser.run(count), 0);
    assert_eq!(browser.console(), Vec::<Value>::new());
    // The page has nobody to send anything to, and its policy says so.
    let page = ask(service.address, "GET", &shown, "", "");
    let policy = page.header("content-security-policy").unwrap();
    assert!(!policy.contains("script-src") && !policy.contains("connect-src"), "{policy}");
}

#[test]
fn pages_are_strict_and_files_of_theirs_are_kept() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    let get = |path: &str| send(service.address, "GET", path, None);
    let page = get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    assert!(page.body.contains("There are no upcoming events."), "{page:?}");
    for outside in ["http:", "https:", "<style", "onclick", "<script"] {
        assert!(!page.body.contains(outside), "{outside}: {page:?}");
    }
    let style = page.body.split('"').find(|part| part.starts_with("/page.css?")).unwrap();
    let kept = get(style);
    assert_eq!(kept.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(get("/page.css?other").header("cache-control"), Some("no-cache"));
    assert_eq!(get("/page.js").header("content-type"), Some("text/javascript; charset=utf-8"));

    let shown = make(service.address, &event("An event", 86_400));
    let one = get(&shown);
    assert!(one.status == 200 && !one.body.contains("Remind me"), "{one:?}");
    for (path, status) in [
        ("/show/5e0745fe9c1a2b3c4d5e6f70", 404),
        ("/show/none", 404),
        ("/show/", 404),
        ("/?from=soon", 400),
        ("/?after=5e0745fe9c1a2b3c4d5e6f70", 404),
        ("/other", 404),
    ] {
        assert_eq!(get(path).status, status, "{path}");
    }
    assert_eq!(send(service.address, "POST", "/", Some("{}")).status, 405);
}

#[test]
fn what_is_coming_up_begins_with_the_next_and_what_is_over_with_the_last() {
    let dir = temp_dir();
    let service = Service::start("events", dir.path());
    for n in 1..=25 {
        make(service.address, &event(&format!("In {n} days"), n * 86_400));
        make(service.address, &event(&format!("Done {n} days ago"), -(n + 2) * 86_400));
    }
    let get = |path: &str| send(service.address, "GET", path, None).body;
    let titles = |page: &str| {
        let links = page.split("<h2><a href=\"/show/").skip(1);
        let title = |link: &str| link.split(['>', '<']).nth(1).unwrap().to_owned();
        links.map(title).collect::<Vec<_>>()
    };
    let link = |page: &str, text: &str| {
        let before = page.split(&format!("\">{text}</a>")).next().unwrap();
        before.rsplit("href=\"").next().unwrap().replace("&#38;", "&")
    };
    let check = |first: &str, title: &dyn Fn(usize) -> String| {
        let expected: Vec<_> = (1..=25).map(title).collect();
        assert_eq!(titles(first), expected[..20], "{first}");
        assert!(first.contains("<a rel=\"next\" href="), "{first}");
        let second = get(&link(first, "More events"));
        assert_eq!(titles(&second), expected[20..], "{second}");
        assert!(!second.contains("More events"), "{second}");
    };
    let coming = get("/?q=days");
    check(&coming, &|n| format!("In {n} days"));
    check(&get(&link(&coming, "Earlier events")), &|n| format!("Done {n} days ago"));
}

#[test]
fn only_pages_of_the_origins_that_may_read_the_answers() {
    let dir = temp_dir();
    let args = ["--allow-origins", "http://a.example,https://b.example:8443"];
    let null = std::process::Stdio::null();
    let service = Service::start_with("notifications", dir.path(), &args, null);
    let asked = |method: &str, origin: &str| {
        let headers = format!("Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n");
        // The head as it came, whatever it has of these headers.
        format!("{:?}", ask(service.address, method, "/notifications", &headers, ""))
    };
    for origin in ["http://a.example", "https://b.example:8443"] {
        let answer = asked("OPTIONS", origin);
        let allowed = format!("access-control-allow-origin: {origin}\\r\\n");
        assert!(answer.contains(&allowed), "{answer}");
        assert!(answer.contains("access-control-allow-methods: GET, HEAD, POST, OPTIONS"));
        assert!(answer.contains("access-control-allow-headers: authorization, content-type"));
        assert!(asked("GET", origin).contains(&allowed));
    }
    for origin in ["http://b.example", "null", "http://a.example.org", "https://a.example"] {
        for method in ["OPTIONS", "GET"] {
            let answer = asked(method, origin);
            assert!(!answer.contains("access-control-allow"), "{answer}");
            assert!(answer.contains("vary: origin"), "{answer}");
        }
    }
}
