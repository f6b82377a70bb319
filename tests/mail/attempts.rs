//! Attempts that fail, and what is too late to be sent.

use serde_json::json;

use super::relay::Relay;
use super::{in_state, make, notification, start, state, wait_for_state};
use crate::harness::http::send;
use crate::harness::{Service, temp_dir, wait_for};

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

    // An operator can have it tried again.
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
fn all_that_failed_or_expired_are_retried_at_once() {
    let dir = temp_dir();
    let relay = Relay::start(dir.path());
    let service = start(&dir.path().join("data"), &relay, &["--mail-expiry", "3600"]);
    let refused = make(&service, &notification("refuse@example.org", 0));
    let waiting = make(&service, &notification("waiting@example.org", 3600));
    let late: Vec<_> = (0..3)
        .map(|number| make(&service, &notification(&format!("late{number}@example.org"), -7200)))
        .collect();
    wait_for_state(&service, &refused, "failed");
    for path in &late {
        wait_for_state(&service, path, "expired");
    }

    let retry =
        |query: &str| send(service.address, "POST", &format!("/notifications/retry{query}"), None);
    for (query, field) in [
        ("", "state"),
        ("?state=sent", "state"),
        ("?state=expired&to_mail=late0@example.org", "to_mail"),
    ] {
        let answer = retry(query);
        assert_eq!((answer.status, &answer.json()["details"][0]["field"]), (400, &json!(field)));
    }
    let retried = retry("?state=expired");
    assert_eq!((retried.status, retried.json()), (202, json!({"retried": 3})));
    for path in &late {
        wait_for_state(&service, path, "sent");
    }
    assert_eq!(state(&service, &refused)["state"], "failed");
    assert_eq!(state(&service, &waiting)["state"], "scheduled");
    assert_eq!(retry("?state=failed").json(), json!({"retried": 1}));
    assert_eq!(retry("?state=expired").json(), json!({"retried": 0}));
    assert_eq!(relay.accepted().len(), 3);
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
    for path in [&format!("{old}/retry"), "/notifications/retry?state=expired"] {
        assert_eq!(send(service.address, "POST", path, None).status, 409);
    }
    assert_eq!(service.terminate(), Some(0));

    let service = start(&data, &relay, &[]);
    wait_for_state(&service, &recent, "sent");
    wait_for_state(&service, &old, "expired");
    assert_eq!(relay.accepted().len(), 1);
    let wanted = send(service.address, "POST", &format!("{old}/retry"), None);
    assert_eq!(wanted.status, 202, "{wanted:?}");
    wait_for_state(&service, &old, "sent");
    // What is known outlives a restart.
    assert_eq!(service.terminate(), Some(0));
    let service = start(&data, &relay, &[]);
    wait_for_state(&service, &old, "sent");
    wait_for_state(&service, &recent, "sent");
    assert_eq!(relay.accepted().len(), 2);
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
    assert_eq!(relay.accepted().len(), 1);
}
