//! Notifications that are delivered to a real relay.

mod attempts;
mod delivery;
mod recipients;
pub(crate) mod relay;
mod settings;

use std::path::Path;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use self::relay::Relay;
use crate::harness::http::send;
use crate::harness::{Service, program, wait_for};

/// Starts a notifications service that delivers to a relay, with more arguments.
pub(crate) fn start(data: &Path, relay: &Relay, more: &[&str]) -> Service {
    let mut command = Command::new(program("notifications"));
    command.args(["--mail-host", "localhost", "--mail-port", &relay.port.to_string()]).args([
        "--mail-from",
        "EventPost <events@example.org>",
        "--mail-retry",
        "1",
    ]);
    match &relay.ca {
        Some(ca) => command.arg("--mail-ca-file").arg(ca),
        None => command.args(["--mail-security", "none"]),
    };
    command.args(more);
    Service::start_command(command, data)
}

/// A notification to an address, due so many seconds from now.
pub(crate) fn notification(to: &str, seconds: i64) -> Value {
    let due = Timestamp::now() + SignedDuration::from_secs(seconds);
    json!({
        "subject": "About an event",
        "content": "The event that you asked about begins soon.",
        "to_mail": to,
        "scheduled_time": due.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
    })
}

/// Stores a notification, and returns its path.
fn make(service: &Service, notification: &Value) -> String {
    let made = send(service.address, "POST", "/notifications", Some(&notification.to_string()));
    assert_eq!(made.status, 201, "{made:?}");
    made.header("location").unwrap().to_owned()
}

/// The state of a notification's delivery.
fn state(service: &Service, path: &str) -> Value {
    send(service.address, "GET", &format!("{path}?fields=state"), None).json()
}

fn wait_for_state(service: &Service, path: &str, word: &str) -> Value {
    wait_for(&format!("{path} to be {word}"), || {
        Some(state(service, path)).filter(|found| found["state"] == word)
    })
}

fn in_state(service: &Service, word: &str) -> Vec<Value> {
    let list = send(service.address, "GET", &format!("/notifications?state={word}"), None);
    list.json().as_array().unwrap().clone()
}
