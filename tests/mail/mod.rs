//! Notifications that are sent, by way of a real relay: in time, at least once, and what
//! becomes of those that cannot be.

pub(crate) mod relay;

use std::path::Path;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use self::relay::{PASSWORD, Relay};
use crate::harness::cli::World;
use crate::harness::http::{Client, send};
use crate::harness::{Service, program, run_service, temp_dir, wait_for};

/// A notifications service that sends by way of a relay, with more settings.
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
        "content": "The event that you wanted to be told of begins soon.",
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

/// What is known of the sending of a notification.
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
    let mail = relay.taken().remove(0);
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
    assert_eq!(relay.taken().len(), 1);
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
    let to: Vec<_> = relay.taken().iter().map(|mail| mail["to"].clone()).collect();
    assert_eq!(to, ["new@example.org"]);
    // Sent is sent, whatever is written later; unless it is set to a later time.
    let mut late = notification("new@example.org", -5);
    late["subject"] = "Another subject".into();
    assert_eq!(send(service.address, "PUT", &changed, Some(&late.to_string())).status, 200);
    assert_eq!(state(&service, &changed)["state"], "sent");
    let again = notification("again@example.org", 1).to_string();
    assert_eq!(send(service.address, "PUT", &changed, Some(&again)).status, 200);
    wait_for("the second mail", || (relay.taken().len() == 2).then_some(()));
    assert_eq!(relay.taken()[1]["to"], "again@example.org");
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn refusals_are_final_or_tried_again_as_the_relay_says() {
    let dir = temp_dir();
    let relay = Relay::start(dir.path());
    let service = start(&dir.path().join("data"), &relay, &[]);
    let refused = make(&service, &notification("refuse@example.org", 0));
    let full = make(&service, &notification("full@example.org", 0));
    let later = make(&service, &notification("later@example.org", 0));
    let hangup = make(&service, &notification("hangup@example.org", 0));

    let failed = wait_for_state(&service, &refused, "failed");
    assert!(failed["error"].as_str().unwrap().contains("no such mailbox"), "{failed}");
    assert_eq!(failed["attempts"], 1);
    wait_for_state(&service, &full, "failed");
    assert_eq!(wait_for_state(&service, &later, "sent")["attempts"], 3);
    let waiting = wait_for("a second attempt", || {
        Some(state(&service, &hangup)).filter(|it| it["attempts"].as_u64() > Some(1))
    });
    assert!(["scheduled", "sending"].contains(&waiting["state"].as_str().unwrap()), "{waiting}");

    let failed = in_state(&service, "failed");
    assert_eq!(failed.len(), 2);
    assert_eq!(failed[0].get("state"), None, "nobody has asked for it");
    let page = send(service.address, "GET", "/notifications?state=failed&limit=1", None);
    let next = page.header("link").unwrap();
    let next = next.strip_prefix('<').unwrap().split_once('>').unwrap().0;
    assert_eq!(send(service.address, "GET", next, None).json(), json!([failed[1]]));

    // Whoever knows better has it tried again.
    let retry = |path: &str| send(service.address, "POST", &format!("{path}/retry"), None);
    assert_eq!(retry(&later).status, 409);
    assert_eq!(retry("/notifications/5e0745fe9c1a2b3c4d5e6f70").status, 404);
    let accepted = retry(&refused);
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let again = wait_for("it to fail again", || {
        Some(state(&service, &refused)).filter(|it| it["state"] == "failed")
    });
    assert_eq!(again["attempts"], 1);
    for bad in ["state=lost", "fields=all"] {
        let answer = send(service.address, "GET", &format!("/notifications?{bad}"), None);
        assert_eq!(answer.status, 400, "{answer:?}");
    }
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn what_was_long_due_is_not_sent_unless_somebody_wants_it() {
    let dir = temp_dir();
    let relay = Relay::start(dir.path());
    let data = dir.path().join("data");
    // Made while nothing was sent.
    let service = Service::start("notifications", &data);
    let old = make(&service, &notification("old@example.org", -2 * 86_400));
    let recent = make(&service, &notification("recent@example.org", -60));
    let off = send(service.address, "GET", "/readyz", None).json();
    assert_eq!(off["mail"], "off");
    for asked in ["?state=sent", "?fields=state"] {
        let answer = send(service.address, "GET", &format!("/notifications{asked}"), None);
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains("needs a mail relay"), "{answer:?}");
    }
    assert_eq!(send(service.address, "POST", &format!("{old}/retry"), None).status, 409);
    assert_eq!(service.terminate(), Some(0));

    let service = start(&data, &relay, &[]);
    wait_for_state(&service, &recent, "sent");
    wait_for_state(&service, &old, "expired");
    assert_eq!(relay.taken().len(), 1);
    let wanted = send(service.address, "POST", &format!("{old}/retry"), None);
    assert_eq!(wanted.status, 202, "{wanted:?}");
    wait_for_state(&service, &old, "sent");
    // What is known outlives a restart.
    assert_eq!(service.terminate(), Some(0));
    let service = start(&data, &relay, &[]);
    wait_for_state(&service, &old, "sent");
    wait_for_state(&service, &recent, "sent");
    assert_eq!(relay.taken().len(), 2);
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn those_for_an_address_are_listed_with_a_relay_and_without() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let list = |service: &Service, query: &str| {
        let answer = send(service.address, "GET", &format!("/notifications?{query}"), None);
        assert_eq!(answer.status, 200, "{answer:?}");
        let ids = answer.json().as_array().unwrap().clone().into_iter();
        let next = answer.header("link").map(|link| link.split(['?', '>']).nth(1).unwrap().into());
        (ids.map(|it| format!("/notifications/{}", it["id"].as_str().unwrap())).collect(), next)
    };
    let service = Service::start("notifications", &data);
    let mail = |to: &str| notification(to, 3600);
    let first = make(&service, &mail("a+b@example.org"));
    let other = make(&service, &mail("b@example.org"));
    let second = make(&service, &mail("A+B@example.org"));
    let all = (vec![first.clone(), second.clone()], None::<String>);
    for asked in ["a+b@example.org", "a%2Bb%40example.org", "a%2bb@EXAMPLE.org"] {
        assert_eq!(list(&service, &format!("to_mail={asked}")), all, "{asked}");
    }
    let (page, next) = list(&service, "to_mail=a%2Bb@example.org&limit=1");
    assert_eq!(page, all.0[..1]);
    assert_eq!(list(&service, &next.unwrap()), (vec![second.clone()], None));
    for bad in ["to_mail=", "to_mail=nobody", "to_mail=a@b.c&to_mail=a@b.c"] {
        let answer = send(service.address, "GET", &format!("/notifications?{bad}"), None);
        assert_eq!(
            (answer.status, &answer.json()["details"][0]["field"]),
            (400, &json!("to_mail"))
        );
    }
    // As they are now, and after a restart.
    assert_eq!(send(service.address, "DELETE", &first, None).status, 200);
    let moved = mail("a+b@example.org").to_string();
    assert_eq!(send(service.address, "PUT", &other, Some(&moved)).status, 200);
    let now = (vec![other, second.clone()], None);
    assert_eq!(list(&service, "to_mail=a+b@example.org"), now);
    assert_eq!(list(&service, "to_mail=b@example.org"), (vec![], None));
    assert_eq!(service.terminate(), Some(0));

    let relay = Relay::start(dir.path());
    let service = start(&data, &relay, &[]);
    assert_eq!(list(&service, "to_mail=a+b@example.org"), now);
    let due = make(&service, &notification("a+b@example.org", 0));
    wait_for_state(&service, &due, "sent");
    assert_eq!(list(&service, "to_mail=a+b@example.org&state=sent"), (vec![due], None));
    assert_eq!(list(&service, "to_mail=a+b@example.org&state=scheduled"), now);
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
    assert_eq!(relay.taken().len(), 2);

    // An older copy takes nothing back that is known here.
    assert_eq!(new.terminate(), Some(0));
    assert!(run_service("notifications", &["restore", "--replace", copy], &other).status.success());
    let new = start(&other, &relay, &[]);
    wait_for_state(&new, &second, "sent");
    assert_eq!(relay.taken().len(), 2);
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
        wait_for("some to be sent", || (relay.taken().len() >= kill * 30).then_some(()));
        service.kill();
        service = start(&data, &relay, &["--mail-rate", "1000"]);
    }
    wait_for("all to be sent", || (in_state(&service, "sent").len() == count).then_some(()));
    let taken = relay.taken();
    let mut ids: Vec<_> = taken.iter().map(|mail| mail["message_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "a receiver that drops doubles has each once");
    // A kill repeats what was at work, and no more.
    assert!(taken.len() <= count + 5 * 4, "{} mails for {count}", taken.len());
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn a_relay_that_is_away_or_says_nothing_is_waited_for() {
    let dir = temp_dir();
    let relay = Relay::start(dir.path());
    let port = relay.port;
    let service = start(&dir.path().join("data"), &relay, &[]);
    drop(relay);
    let path = make(&service, &notification("somebody@example.org", 0));
    wait_for("an attempt", || {
        Some(state(&service, &path)).filter(|it| it["attempts"].as_u64() >= Some(1))
    });
    let relay = Relay::start_at("127.0.0.1", port, dir.path(), None);
    // One that gets no answer keeps no other waiting.
    make(&service, &notification("silent@example.org", 0));
    wait_for_state(&service, &path, "sent");
    assert_eq!(relay.taken().len(), 1);
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
    wait_for("all to be sent", || (relay.taken().len() == 60).then_some(()));
    let times: Vec<_> = relay.taken().iter().map(|mail| mail["time"].as_i64().unwrap()).collect();
    let all = times.iter().max().unwrap() - times.iter().min().unwrap();
    assert!(all > 2_800, "60 mails at 20 a second took {all} ms");
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn a_local_stack_sends_as_its_description_says() {
    let world = World::new();
    let relay = Relay::start(world.path());
    let describe = |mail: &str| {
        world.describe(&format!(
            "stack: test\nservices:\n  notifications: {{build: notifications, mail: {{{mail}}}}}\n"
        ));
    };
    for (mail, told) in [
        ("host: h", "services.notifications.mail: `from` is missing"),
        ("host: h, from: nobody", "services.notifications.mail.from: must be an address"),
        ("host: h, from: a@b, user: u", "`user` and `password_file` come together"),
        ("host: h, from: a@b, security: ssl", "must be starttls, tls or none"),
        (
            "host: h, from: a@b, user: u, password_file: f, security: none",
            "would show the password to everybody",
        ),
    ] {
        describe(mail);
        let refused = world.up();
        assert_eq!(refused.code, Some(78), "{refused:?}");
        assert!(refused.stderr.contains(told), "{told}: {refused:?}");
    }
    describe("host: h, from: a@b, user: u, password_file: none");
    let refused = world.up();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("the secret none of notifications cannot be read"));

    let port = relay.port;
    describe(&format!("host: localhost, port: {port}, security: none, from: a@example.org"));
    world.up().succeeded();
    let status = world.run(&["status", "--local", "--output", "json"]).succeeded().json();
    assert_eq!(status[0]["mail"], format!("localhost:{port}"));
    let address = world.holder("notifications").unwrap().address;
    let body = notification("somebody@example.org", 0).to_string();
    assert_eq!(send(address, "POST", "/notifications", Some(&body)).status, 201);
    wait_for("the mail", || (!relay.taken().is_empty()).then_some(()));
    world.run(&["down", "--local"]).succeeded();
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn the_connection_is_encrypted_and_the_password_shown_to_nobody_else() {
    let dir = temp_dir();
    let relay = Relay::start_guarded(dir.path());
    let file = dir.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let file = file.to_str().unwrap();
    let data = dir.path().join("data");
    let login = ["--mail-user", "user", "--mail-password-file", file];
    let service = start(&data, &relay, &login);
    let path = make(&service, &notification("somebody@example.org", 0));
    wait_for_state(&service, &path, "sent");
    let mail = relay.taken().remove(0);
    assert_eq!((&mail["tls"], &mail["user"]), (&json!(true), &json!(true)), "{mail}");
    let command = std::fs::read(format!("/proc/{}/cmdline", service.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&command).contains(PASSWORD));
    drop(service);

    // Whoever has another certificate gets neither mail nor password.
    let strangers = temp_dir();
    let mut stranger = Relay::start_guarded(strangers.path());
    stranger.ca.clone_from(&relay.ca);
    let service = start(&data, &stranger, &login);
    let path = make(&service, &notification("somebody@example.org", 0));
    let refused = wait_for("an attempt", || {
        Some(state(&service, &path)).filter(|it| it["attempts"].as_u64() >= Some(1))
    });
    assert!(refused["error"].as_str().unwrap().contains("certificate"), "{refused}");
    assert!(stranger.taken().is_empty());
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let dir = temp_dir();
    let refused = |args: &[&str]| {
        let args = [&["--listen", "127.0.0.1:0"], args].concat();
        let output = run_service("notifications", &args, &dir.path().join("data"));
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let relay = ["--mail-host", "localhost", "--mail-from", "a@example.org"];
    let (code, text) = refused(&["--mail-host", "localhost"]);
    assert!(code == Some(2) && text.contains("--mail-from"), "{text}");
    let (code, text) = refused(&["--mail-host", "localhost", "--mail-from", "nobody"]);
    assert!(code == Some(2) && text.contains("--mail-from"), "{text}");
    let plain = [&relay[..], &["--mail-user", "u", "--mail-security", "none"]].concat();
    let (code, text) = refused(&plain);
    assert!(code == Some(78) && text.contains("would send the password of u"), "{text}");
    let (code, text) = refused(&[&relay[..], &["--mail-user", "u"]].concat());
    assert!(code == Some(78) && text.contains("--mail-password-file"), "{text}");
    let missing = ["--mail-user", "u", "--mail-password-file", "/no/such/file"];
    let (code, text) = refused(&[&relay[..], &missing].concat());
    assert!(code == Some(78) && text.contains("/no/such/file cannot be read"), "{text}");
}
