//! Reminders between services on two hosts, and services that are bound to an address of theirs.

use std::fs;

use serde_json::{Value, json};

use crate::harness::http::{ask, send, try_send};
use crate::harness::region::{Stack, on_host};
use crate::harness::wait_for;
use crate::mail::relay::Relay;
use crate::reminders::{event, offer};

const NOTIFICATIONS: &str = "  notifications:\n    build: notifications\n";

fn described(more: &str) -> String {
    format!(
        "  events: {{build: events, page: {{reminders: notifications}}, env: {{TIMEZONE: UTC}}}}\n\
         {NOTIFICATIONS}{more}"
    )
}

/// The link in a mail that has this part, as a path of the service.
fn path(mail: &Value, part: &str) -> String {
    let text = mail["text"].as_str().unwrap();
    let link = text.split_whitespace().find(|word| word.contains(part)).unwrap();
    link[link.find(part).unwrap()..].to_owned()
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_visitor_of_one_host_is_reminded_by_the_other() {
    let stack = Stack::with_tokens("reminders", &described(""));
    let up = stack.run(&["up"]).succeeded();
    assert!(up.stderr.contains("created the key for reminders"), "{up:?}");
    let key = stack.world.path().join("state/eventpost/keys/reminders.reminders");
    let secret = fs::read_to_string(&key).unwrap();

    let route = on_host(&stack.instance(1), &["ip", "route", "show", "default"]);
    let gateway = route.split_whitespace().nth(2).unwrap().to_owned();
    let relay = Relay::start_for_hosts(stack.world.path());
    stack.describe(&described(&format!(
        "    mail: {{host: {gateway}, port: {}, security: none, from: a@example.org}}\n",
        relay.port
    )));
    // Somebody else's machine has no key, and takes over that of the hosts.
    fs::remove_file(&key).unwrap();
    let deployed = stack.run(&["deploy"]).succeeded();
    assert!(deployed.stderr.contains("took over the key for reminders"), "{deployed:?}");
    assert_eq!(fs::read_to_string(&key).unwrap(), secret);
    for host in [stack.instance(0), stack.instance(1)] {
        let inspected = on_host(&host, &["sh", "-c", "docker inspect $(docker ps -q)"]);
        assert!(inspected.contains("REMINDER_KEY_FILE=/run/secrets/reminder-key"), "{inspected}");
        assert!(!inspected.contains(secret.trim()));
    }

    let body = event("Harvest market", 3600).to_string();
    let made = ask(stack.address(0), "POST", "/events", &stack.authorization(), &body);
    assert_eq!(made.status, 201, "{made:?}");
    let page = made.header("location").unwrap().replace("/events/", "/show/");
    let asked = json!({
        "reminder": offer(stack.address(0), &page, ""), "to_mail": "a@example.org", "before": "1d",
    });
    let asked = send(stack.address(1), "POST", "/reminders", Some(&asked.to_string()));
    assert_eq!(asked.status, 202, "{asked:?}");
    let mail = |count: usize| wait_for("a mail", || relay.accepted().get(count - 1).cloned());
    let confirmed = ask(stack.address(1), "POST", &path(&mail(1), "/confirm?"), "", "");
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    let reminder = mail(2);
    assert_eq!(reminder["subject"], "Reminder: Harvest market");
    assert!(path(&reminder, "/show/").starts_with(&page), "{reminder}");
    stack.run(&["down", "--yes"]).succeeded();
}

#[test]
#[ignore = "needs root and Docker: run scripts/test"]
fn a_service_that_is_bound_to_its_host_is_reached_through_ssh_alone() {
    let services = "  events: {build: events, bind: 127.0.0.1}\n";
    let stack = Stack::with_tokens("bound", services);
    stack.run(&["up"]).succeeded();
    let published = on_host(&stack.instance(0), &["docker", "port", "eventpost-events"]);
    assert_eq!(published.trim(), "8080/tcp -> 127.0.0.1:80");
    assert!(try_send(stack.address(0), "GET", "/events", None).is_err(), "everybody reaches it");
    assert_eq!(stack.status()[0]["health"], "healthy");
    let again = stack.run(&["deploy", "--output", "json"]).succeeded().json();
    assert_eq!(again[0]["outcome"], "kept", "{again}");
    // Opening it is a change of the container.
    stack.describe("  events: {build: events}\n");
    let opened = stack.run(&["deploy", "--output", "json"]).succeeded().json();
    assert_eq!(opened[0]["outcome"], "deployed", "{opened}");
    assert_eq!(send(stack.address(0), "GET", "/events", None).status, 200);
    stack.run(&["down", "--yes"]).succeeded();
}
