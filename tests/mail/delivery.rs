//! Notifications are delivered once and in time, whatever happens to the service.

use std::net::TcpListener;

use jiff::Timestamp;
use serde_json::json;

use super::relay::Relay;
use super::{in_state, make, notification, start, state, wait_for_state};
use crate::harness::http::{Client, send};
use crate::harness::{run_service, temp_dir, wait_for};

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn a_notification_is_sent_when_it_is_due_and_not_before() {
    let dir = temp_dir();
    let relay = Relay::start(dir.path());
    let service = start(&dir.path().join("data"), &relay, &[]);
    let mut wanted = notification("somebody@example.org", 2);
    wanted["subject"] = "Grüße zum Fest".into();
    wanted["content"] = "Schöne Grüße, und eine zweite Zeile:\nhier ist sie zu lesen.".into();
    let due = wanted["scheduled_time"].as_str().unwrap().to_owned();
    let path = make(&service, &wanted);
    assert_eq!(state(&service, &path)["state"], "scheduled");
    let before = send(service.address, "GET", &path, None);

    let sent = wait_for_state(&service, &path, "sent");
    assert_eq!((&sent["attempts"], &sent["subject"]), (&json!(1), &wanted["subject"]));
    let mail = relay.accepted().remove(0);
    let due: Timestamp = format!("{due}Z").parse().unwrap();
    let taken = Timestamp::from_millisecond(mail["time"].as_i64().unwrap()).unwrap();
    assert!(taken >= due, "{taken} {due}");
    assert_eq!(mail["subject"], wanted["subject"]);
    let text = mail["text"].as_str().unwrap().replace("\r\n", "\n");
    assert_eq!(text.trim_end(), wanted["content"].as_str().unwrap());
    assert!(mail["raw"].as_str().unwrap().is_ascii(), "{mail}");
    assert_eq!((&mail["to"], &mail["from"]), (&wanted["to_mail"], &json!("events@example.org")));

    // What clients know stays as it was.
    assert_eq!(send(service.address, "GET", &path, None).body, before.body);
    let ready = send(service.address, "GET", "/readyz", None).json();
    assert_eq!(ready["mail"], format!("localhost:{}", relay.port));
    assert_eq!(ready["notifications"]["sent"], 1);
    assert_eq!(relay.accepted().len(), 1);
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn what_changes_or_goes_before_its_time_is_not_sent_as_it_was() {
    let dir = temp_dir();
    let relay = Relay::start(dir.path());
    let service = start(&dir.path().join("data"), &relay, &[]);
    let gone = make(&service, &notification("gone@example.org", 2));
    let changed = make(&service, &notification("old@example.org", 2));
    assert_eq!(send(service.address, "DELETE", &gone, None).status, 200);
    let new = notification("new@example.org", 3).to_string();
    assert_eq!(send(service.address, "PUT", &changed, Some(&new)).status, 200);
    wait_for_state(&service, &changed, "sent");
    let to: Vec<_> = relay.accepted().iter().map(|mail| mail["to"].clone()).collect();
    assert_eq!(to, ["new@example.org"]);
    // Sent is sent, whatever is written later; unless it is set to a later time.
    let mut late = notification("new@example.org", -5);
    late["subject"] = "Another subject".into();
    assert_eq!(send(service.address, "PUT", &changed, Some(&late.to_string())).status, 200);
    assert_eq!(state(&service, &changed)["state"], "sent");
    let again = notification("again@example.org", 1).to_string();
    assert_eq!(send(service.address, "PUT", &changed, Some(&again)).status, 200);
    wait_for("the second mail", || (relay.accepted().len() == 2).then_some(()));
    assert_eq!(relay.accepted()[1]["to"], "again@example.org");
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn what_was_sent_is_not_sent_again_where_the_data_go() {
    let dir = temp_dir();
    let relay = Relay::start(dir.path());
    let (data, other) = (dir.path().join("data"), dir.path().join("other"));
    let service = start(&data, &relay, &[]);
    let first = make(&service, &notification("first@example.org", 0));
    wait_for_state(&service, &first, "sent");
    // Due while nothing is sent: the data are on their way.
    let second = make(&service, &notification("second@example.org", 2));
    assert!(run_service("notifications", &["read-only"], &data).status.success());
    let copy = dir.path().join("copy");
    let copy = copy.to_str().unwrap();
    assert!(run_service("notifications", &["backup", copy], &data).status.success());
    let restored = run_service("notifications", &["restore", copy], &other);
    assert!(restored.status.success(), "{restored:?}");

    let new = start(&other, &relay, &[]);
    wait_for_state(&new, &second, "sent");
    assert_eq!(state(&new, &first)["state"], "sent");
    assert_eq!(state(&service, &second)["state"], "scheduled");
    assert_eq!(relay.accepted().len(), 2);

    // An older copy takes nothing back that is known here.
    assert_eq!(new.terminate(), Some(0));
    assert!(run_service("notifications", &["restore", "--replace", copy], &other).status.success());
    let new = start(&other, &relay, &[]);
    wait_for_state(&new, &second, "sent");
    assert_eq!(relay.accepted().len(), 2);
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn nothing_is_lost_by_kill_9_while_sending() {
    let dir = temp_dir();
    let relay = Relay::start(dir.path());
    let data = dir.path().join("data");
    let mut service = start(&data, &relay, &["--mail-rate", "1000"]);
    let mut client = Client::connect(service.address).unwrap();
    let count = 200;
    for number in 0..count {
        // Some are answered a second after they were taken.
        let kind = if number % 40 == 0 { "slow" } else { "quick" };
        let to = format!("{kind}{number}@example.org");
        let body = notification(&to, 1).to_string();
        assert_eq!(client.send("POST", "/notifications", &body).unwrap().status, 201);
    }
    for kill in 1..=5 {
        wait_for("some to be sent", || (relay.accepted().len() >= kill * 30).then_some(()));
        service.kill();
        service = start(&data, &relay, &["--mail-rate", "1000"]);
    }
    wait_for("all to be sent", || (in_state(&service, "sent").len() == count).then_some(()));
    let accepted = relay.accepted();
    let mut ids: Vec<_> =
        accepted.iter().map(|mail| mail["message_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "a receiver that drops doubles has each once");
    // A kill repeats what was at work, and no more.
    assert!(accepted.len() <= count + 5 * 4, "{} mails for {count}", accepted.len());
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn a_mail_that_was_claimed_by_a_killed_service_is_sent_after_a_restart() {
    let dir = temp_dir();
    let mut relay = Relay::start(dir.path());
    let data = dir.path().join("data");
    // Nobody answers there, so the mail stays claimed.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = std::mem::replace(&mut relay.port, silent.local_addr().unwrap().port());
    let service = start(&data, &relay, &[]);
    relay.port = port;
    let path = make(&service, &notification("somebody@example.org", 0));
    wait_for_state(&service, &path, "sending");
    service.kill();
    drop(silent);
    let service = start(&data, &relay, &[]);
    let sent = wait_for_state(&service, &path, "sent");
    assert_eq!(sent["attempts"], 1, "the one that was cut off is not counted");
    assert_eq!(relay.accepted().len(), 1);
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn what_is_due_at_once_is_sent_at_a_bounded_rate() {
    let dir = temp_dir();
    let relay = Relay::start(dir.path());
    let service = start(&dir.path().join("data"), &relay, &["--mail-rate", "20"]);
    let mut client = Client::connect(service.address).unwrap();
    for number in 0..60 {
        let body = notification(&format!("n{number}@example.org"), 0).to_string();
        assert_eq!(client.send("POST", "/notifications", &body).unwrap().status, 201);
    }
    wait_for("all to be sent", || (relay.accepted().len() == 60).then_some(()));
    let times: Vec<_> =
        relay.accepted().iter().map(|mail| mail["time"].as_i64().unwrap()).collect();
    let all = times.iter().max().unwrap() - times.iter().min().unwrap();
    assert!(all > 2_800, "60 mails at 20 a second took {all} ms");
}
