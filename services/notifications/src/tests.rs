//! Every field of a notification at its limits and one past them.

use rest::Resource;
use serde_json::{Value, json};
use store::{ObjectId, Schedule};

use super::{Notification, parse_mail};

fn refused(field: &str, value: Value) -> Vec<&'static str> {
    let mut body = json!({
        "subject": "s".repeat(10),
        "content": "c".repeat(30),
        "to_mail": "mail@mail.es",
        "scheduled_time": "2019-12-28T12:58:15",
    });
    body[field] = value;
    match Notification::from_body(body.to_string().as_bytes()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|problem| problem.field).collect(),
    }
}

#[test]
fn lengths_are_bounded_in_code_points() {
    for c in ["x", "ñ", "日", "🎉"] {
        for (field, least, most) in [("subject", 10, 70), ("content", 30, 700)] {
            let of = |length: usize| refused(field, json!(c.repeat(length)));
            assert_eq!(of(least), [""; 0], "{field} of {least} {c}");
            assert_eq!(of(most), [""; 0], "{field} of {most} {c}");
            assert_eq!(of(least - 1), [field], "{field} of {} {c}", least - 1);
            assert_eq!(of(most + 1), [field], "{field} of {} {c}", most + 1);
        }
    }
}

#[test]
fn a_subject_is_one_line() {
    for bad in [
        "one line\nBcc: another@mail.es",
        "a line\r\nand one",
        "a bell \u{7} rings",
        "a \u{202e}turned line",
    ] {
        assert_eq!(refused("subject", json!(bad)), ["subject"], "{bad:?}");
    }
    assert_eq!(refused("content", json!("c\n".repeat(30))), [""; 0]);
}

#[test]
fn no_field_may_be_null_or_of_another_type() {
    for field in ["subject", "content", "to_mail", "scheduled_time"] {
        assert_eq!(refused(field, Value::Null), [field]);
        assert_eq!(refused(field, json!(5)), [field]);
        assert_eq!(refused(field, json!(["x"])), [field]);
    }
}

#[test]
fn the_mail_of_a_notification_is_that_of_its_document() {
    let body = json!({
        "subject": "s".repeat(10),
        "content": "c".repeat(30),
        "to_mail": "Mail@mail.es",
        "scheduled_time": "2019-12-28T13:58:15+01:00",
    });
    let notification = Notification::from_body(body.to_string().as_bytes()).unwrap();
    let facts = notification.facts();
    let expected =
        Schedule { recipient: "mail@mail.es".into(), due: 1_577_537_895_000, is_other_mail: false };
    assert_eq!((&facts.delivery, &facts.search), (&Some(expected), &None));
    let document = notification.document(ObjectId::from_bytes([1; 12]));
    assert_eq!(Notification::facts_of(&document), facts);
}

#[test]
fn addresses_are_those_of_the_first_version_without_a_dot_or_newline_at_the_end() {
    for good in ["a@b.c", "a.b+c-d_e@x-y.co.uk", "A1@B2.C3", "-@-.-", "a@b..c"] {
        assert!(parse_mail(good).is_some(), "{good}");
    }
    let longest = format!("{}@{}.org", "a".repeat(64), "b".repeat(185));
    assert_eq!(longest.len(), 254);
    assert!(parse_mail(&longest).is_some());
    assert!(parse_mail(&format!("a{longest}")).is_none());
    for bad in [
        "", "@", "a@", "@b.c", "a@b", "a@b.", "a@b.c.", "a@.c", "a b@c.d", "a@b@c.d", "ñ@b.c",
        "a@ñ.c", "a@b.c\n", "a@b.c ", "a@b_c.d",
    ] {
        assert!(parse_mail(bad).is_none(), "{bad:?}");
    }
}
