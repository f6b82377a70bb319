//! From the page of an event to its reminder.

use serde_json::json;

use super::{Reminders, header, link, offer};
use crate::harness::http::{ask, send};
use crate::harness::{Service, program, temp_dir, wait_for};

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn a_reminder_is_sent_once_the_addressee_has_confirmed_it() {
    let dir = temp_dir();
    let stack = Reminders::start(dir.path(), &["--timezone", "UTC"], &[]);
    let signed = stack.offer("Harvest market <b>", 3600);
    let asked = stack.ask(&signed, "somebody@example.org", "1d");
    assert_eq!((asked.status, asked.json()), (202, json!({"state": "unconfirmed"})));

    let mail = stack.mail(1);
    assert_eq!(mail["to"], "somebody@example.org");
    assert_eq!(mail["subject"], "Confirm your reminder: Harvest market <b>");
    assert_eq!(header(&mail, "Auto-Submitted"), Some("auto-generated"));
    assert_eq!(header(&mail, "List-Unsubscribe-Post"), Some("List-Unsubscribe=One-Click"));
    let confirm = link(&mail, "/confirm");
    // Programs that look at mails follow links, and confirm nothing.
    let page = stack.follow("GET", &confirm, "");
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("Harvest market &#60;b&#62;"), "{}", page.body);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    wait_for("the record of the mail", || {
        let ready = send(stack.notifications.address, "GET", "/readyz", None).json();
        assert_eq!(ready["resources"], 1);
        (ready["notifications"]["sent"] == 1).then_some(())
    });

    let confirmed = stack.follow("POST", &confirm, "");
    assert!(confirmed.status == 200 && confirmed.body.contains("Reminder confirmed"));
    // A day before was in the past: it is due now.
    let mail = stack.mail(2);
    assert_eq!(mail["subject"], "Reminder: Harvest market <b>");
    let text = mail["text"].as_str().unwrap();
    for part in ["Plaza Mayor", "(UTC)", "https://events.example.org/show/", "/unsubscribe?"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("/confirm?"), "{text}");
    // Again is as once.
    for method in ["GET", "POST"] {
        let again = stack.follow(method, &confirm, "");
        assert!(again.status == 200 && again.body.contains("Reminder confirmed"), "{again:?}");
    }
    assert_eq!(stack.relay.accepted().len(), 2);
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn where_the_time_zone_is_not_known_the_device_says_when_the_event_starts() {
    let dir = temp_dir();
    let stack = Reminders::start(dir.path(), &[], &[]);
    let signed = stack.offer("Harvest market", 3 * 86_400);
    let refused = stack.ask(&signed, "a@example.org", "0");
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(refused.json()["details"][0]["field"], "start");
    let start = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(3 * 24 + 5))
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    assert_eq!(stack.ask_with(&signed, "a@example.org", "0", &start).status, 202);
    let confirm = link(&stack.mail(1), "/confirm");
    assert_eq!(stack.follow("POST", &confirm, "").status, 200);
    let list = send(stack.notifications.address, "GET", "/notifications", None).json();
    assert_eq!(format!("{}Z", list[0]["scheduled_time"].as_str().unwrap()), start);
    assert_eq!(list[0]["reminder"]["state"], "confirmed");
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn pages_and_mails_are_in_the_language_of_the_visitor() {
    let dir = temp_dir();
    let stack = Reminders::start(dir.path(), &["--timezone", "Europe/Madrid"], &[]);
    let body = super::event("Mercado", 3 * 86_400).to_string();
    let made = send(stack.events.address, "POST", "/events", Some(&body));
    let page = made.header("location").unwrap().replace("/events/", "/show/");
    let spanish = "Accept-Language: es-MX, en;q=0.5\r\n";
    let shown = ask(stack.events.address, "GET", &page, spanish, "");
    assert_eq!(shown.header("content-language"), Some("es"));
    assert!(shown.body.contains("lang=\"es\"") && shown.body.contains("Recordármelo"));
    assert!(shown.body.contains("(Europe/Madrid)"), "{}", shown.body);
    let signed = offer(stack.events.address, &page, spanish);
    assert_eq!(stack.ask(&signed, "a@example.org", "1h").status, 202);
    let mail = stack.mail(1);
    assert_eq!(mail["subject"], "Confirma tu recordatorio: Mercado");
    let link = link(&mail, "/confirm");
    let path = link.strip_prefix(super::PUBLIC_URL).unwrap();
    let confirm = ask(stack.notifications.address, "GET", path, spanish, "").body;
    assert!(confirm.contains("Confirmar el recordatorio"), "{confirm}");
    let english = ask(stack.notifications.address, "GET", path, "", "").body;
    assert!(english.contains("Confirm the reminder"), "{english}");
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn only_what_the_events_service_has_signed_is_taken() {
    let dir = temp_dir();
    let stack = Reminders::start(dir.path(), &["--timezone", "UTC"], &[]);
    let signed = stack.offer("Harvest market", 86_400);
    let (payload, signature) = signed.split_once('.').unwrap();
    let started = stack.offer("Over", -3600);
    for (reminder, address, before, field) in [
        ("", "a@example.org", "1h", "reminder"),
        (payload, "a@example.org", "1h", "reminder"),
        (&format!("{payload}.{}", signature.to_uppercase()), "a@example.org", "1h", "reminder"),
        (&started, "a@example.org", "1h", "reminder"),
        (&signed, "a@example", "1h", "to_mail"),
        (&signed, "a@example.org", "2h", "before"),
    ] {
        let refused = stack.ask(reminder, address, before);
        assert_eq!(refused.status, 422, "{refused:?}");
        assert_eq!(refused.json()["details"][0]["field"], field, "{refused:?}");
    }
    for path in ["/confirm", "/confirm?s=x.y", "/unsubscribe", "/unsubscribe?s=x.y"] {
        for method in ["GET", "POST"] {
            let answer = ask(stack.notifications.address, method, path, "", "");
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    }
    let list = ask(stack.notifications.address, "GET", "/notifications", "", "").json();
    assert_eq!(list, json!([]));
    assert_eq!(ask(stack.notifications.address, "GET", "/reminders", "", "").status, 405);
}

#[test]
fn without_a_key_or_a_relay_nobody_is_reminded() {
    let dir = temp_dir();
    let notifications = Service::start("notifications", &dir.path().join("n"));
    let refused = send(notifications.address, "POST", "/reminders", Some("{}"));
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(send(notifications.address, "GET", "/confirm", None).status, 404);
    let mut command = std::process::Command::new(program("events"));
    command.args(["--notifications-url", "http://127.0.0.1:1"]);
    let events = Service::start_command(command, &dir.path().join("e"));
    let body = super::event("Harvest market", 86_400).to_string();
    let made = send(events.address, "POST", "/events", Some(&body));
    let page = made.header("location").unwrap().replace("/events/", "/show/");
    let page = send(events.address, "GET", &page, None);
    assert!(!page.body.contains("data-reminder"), "{}", page.body);
    let policy = page.header("content-security-policy").unwrap();
    assert!(!policy.contains("script-src") && !policy.contains("connect-src"), "{policy}");
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn a_visitor_needs_no_token() {
    use crate::harness::tokens::Tokens;
    let (dir, tokens) = (temp_dir(), Tokens::of_all_roles());
    let list = dir.path().join("tokens");
    tokens.write(&list);
    let access = ["--access-tokens-file", list.to_str().unwrap(), "--timezone", "UTC"];
    let stack = Reminders::start(dir.path(), &access, &access[..2]);
    let body = super::event("Harvest market", 86_400).to_string();
    let header = tokens.header("write");
    let made = ask(stack.events.address, "POST", "/events", &header, &body);
    assert_eq!(made.status, 201, "{made:?}");
    let page = made.header("location").unwrap().replace("/events/", "/show/");
    let signed = offer(stack.events.address, &page, "");
    assert_eq!(stack.ask(&signed, "a@example.org", "1h").status, 202);
    let confirm = link(&stack.mail(1), "/confirm");
    assert_eq!(stack.follow("POST", &confirm, "").status, 200);
    let address = stack.notifications.address;
    assert_eq!(ask(address, "GET", "/notifications", "", "").status, 401);
    wait_for("the confirmation", || {
        let list = ask(address, "GET", "/notifications", &tokens.header("read"), "").json();
        (list[0]["reminder"]["state"] == "confirmed").then_some(())
    });
}
