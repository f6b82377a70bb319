//! Reminders: asked for on the page of an event, confirmed by the addressee, and ended by them.

mod bounds;
mod flow;
mod privacy;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::http::{Answer, ask, send};
use crate::harness::{Service, program, wait_for};
use crate::mail::relay::Relay;
use crate::mail::start;

/// Where mails say that the notifications service is.
const PUBLIC_URL: &str = "https://notes.example.org";

/// Both services with one key, and a relay.
pub(crate) struct Reminders {
    pub(crate) events: Service,
    pub(crate) notifications: Service,
    pub(crate) relay: Relay,
}

impl Reminders {
    /// Starts them in a folder, with more arguments for each.
    pub(crate) fn start(folder: &Path, of_events: &[&str], of_notifications: &[&str]) -> Self {
        let key = folder.join("key");
        write_key(&key, "5a");
        let key = key.to_str().unwrap();
        let relay = Relay::start(folder);
        let more = ["--reminder-key-file", key, "--public-url", PUBLIC_URL];
        let more = [&more, of_notifications].concat();
        let notifications = start(&folder.join("notifications"), &relay, &more);
        let mut command = Command::new(program("events"));
        command.args(["--notifications-url", &format!("http://{}", notifications.address)]);
        command.args(["--reminder-key-file", key, "--public-url", "https://events.example.org"]);
        command.args(of_events);
        let events = Service::start_command(command, &folder.join("events"));
        Self { events, notifications, relay }
    }

    /// Stores an event that starts so many seconds from now in UTC, and returns the signed reminder
    /// of its page.
    pub(crate) fn offer(&self, title: &str, seconds: i64) -> String {
        let body = event(title, seconds).to_string();
        let made = send(self.events.address, "POST", "/events", Some(&body));
        assert_eq!(made.status, 201, "{made:?}");
        let page = made.header("location").unwrap().replace("/events/", "/show/");
        offer(self.events.address, &page, "")
    }

    /// Asks for a reminder.
    pub(crate) fn ask(&self, offer: &str, address: &str, before: &str) -> Answer {
        self.ask_with(offer, address, before, "")
    }

    /// The same, with the start that the device of the visitor says.
    pub(crate) fn ask_with(&self, offer: &str, address: &str, before: &str, start: &str) -> Answer {
        let body = json!({
            "reminder": offer, "to_mail": address, "before": before, "start": start,
        });
        send(self.notifications.address, "POST", "/reminders", Some(&body.to_string()))
    }

    /// Waits for so many mails, and returns the last of them.
    pub(crate) fn mail(&self, count: usize) -> Value {
        wait_for(&format!("mail {count}"), || self.relay.accepted().get(count - 1).cloned())
    }

    /// Sends a request to a link of a mail.
    pub(crate) fn follow(&self, method: &str, link: &str, body: &str) -> Answer {
        let path = link.strip_prefix(PUBLIC_URL).unwrap_or_else(|| panic!("{link}"));
        ask(self.notifications.address, method, path, "", body)
    }
}

/// A key for reminders, made of a pair of digits.
pub(crate) fn write_key(path: &Path, digits: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, format!("{}\n", digits.repeat(32))).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// An event that starts so many seconds from now, in UTC.
pub(crate) fn event(title: &str, seconds: i64) -> Value {
    let at = Timestamp::now() + SignedDuration::from_secs(seconds);
    json!({
        "title": title,
        "description": "Cheese, wine and bread from the farms.",
        "date": at.strftime("%Y-%m-%d").to_string(),
        "time": at.strftime("%H:%M:%S").to_string(),
        "place": "Plaza Mayor",
    })
}

/// The signed reminder on the page of an event.
pub(crate) fn offer(events: SocketAddr, page: &str, headers: &str) -> String {
    let page = ask(events, "GET", page, headers, "").body;
    let (_, rest) = page.split_once("data-reminder=\"").unwrap_or_else(|| panic!("{page}"));
    rest.split('"').next().unwrap().to_owned()
}

/// The link to a path in the text of a mail.
pub(crate) fn link(mail: &Value, path: &str) -> String {
    let text = mail["text"].as_str().unwrap();
    let begin = format!("{PUBLIC_URL}{path}?");
    let found = text.split_whitespace().find(|word| word.starts_with(&begin));
    found.unwrap_or_else(|| panic!("no link to {path}: {text}")).to_owned()
}

/// What a header of a mail says.
pub(crate) fn header<'a>(mail: &'a Value, name: &str) -> Option<&'a str> {
    let head = mail["raw"].as_str().unwrap().split("\n\n").next().unwrap();
    let head = head.split("\r\n\r\n").next().unwrap();
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(it, _)| *it == name).map(|(_, value)| value.trim())
}
