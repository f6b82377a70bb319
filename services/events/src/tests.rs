//! Every field of an event at its limits and one past them.

use rest::Resource;
use serde_json::{Value, json};

use super::Event;

fn valid() -> Value {
    json!({
        "title": "t",
        "description": "d".repeat(20),
        "date": "2020-12-12",
        "time": "20:50:12",
    })
}

/// The names of the fields that are refused when `field` is set to `value`.
fn refused(field: &str, value: Value) -> Vec<&'static str> {
    let mut body = valid();
    body[field] = value;
    match Event::from_body(body.to_string().as_bytes()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|problem| problem.field).collect(),
    }
}

#[test]
fn lengths_are_bounded_in_code_points() {
    // One code point each; in UTF-8 one, two, three and four bytes.
    for c in ["x", "ñ", "日", "🎉"] {
        for (field, least, most) in [
            ("title", 1, 60),
            ("description", 20, 400),
            ("place", 0, 100),
            ("organizer", 0, 50),
            ("topics", 0, 50),
        ] {
            let of = |length: usize| refused(field, json!(c.repeat(length)));
            assert_eq!(of(least), [""; 0], "{field} of {least} {c}");
            assert_eq!(of(most), [""; 0], "{field} of {most} {c}");
            assert_eq!(of(most + 1), [field], "{field} of {} {c}", most + 1);
            if least > 0 {
                assert_eq!(of(least - 1), [field], "{field} of {} {c}", least - 1);
            }
        }
    }
}

#[test]
fn what_is_shown_beside_other_text_cannot_turn_it_around() {
    for field in ["title", "place", "organizer", "topics"] {
        for bad in ["a\0b", "a\u{202e}b", "a\u{2066}b"] {
            assert_eq!(refused(field, json!(bad)), [field], "{bad:?}");
        }
        // As the first EventPost.
        assert_eq!(refused(field, json!("two\nlines\tשלום\u{200f}")), [""; 0]);
    }
}

#[test]
fn dates_and_times_must_exist() {
    assert_eq!(refused("date", json!("2019-02-29")), ["date"]);
    assert_eq!(refused("date", json!("2020-02-29")), [""; 0]);
    assert_eq!(refused("time", json!("23:59:59")), [""; 0]);
    assert_eq!(refused("time", json!("24:00:00")), ["time"]);
}

#[test]
fn required_fields_may_not_be_absent_or_null() {
    for field in ["title", "description", "date", "time"] {
        assert_eq!(refused(field, Value::Null), [field]);
        let mut body = valid();
        body.as_object_mut().unwrap().remove(field);
        let problems = Event::from_body(body.to_string().as_bytes()).unwrap_err();
        assert_eq!((problems.len(), problems[0].field), (1, field));
    }
}

#[test]
fn optional_fields_may_be_absent_but_not_null() {
    for field in ["place", "organizer", "topics"] {
        assert_eq!(refused(field, Value::Null), [field]);
    }
}

#[test]
fn every_invalid_field_is_listed_in_the_order_of_the_api() {
    let body = json!({"topics": 1, "organizer": 1, "place": 1, "time": 1, "date": 1,
        "description": 1, "title": 1, "unknown": {"a": [1]}});
    let problems = Event::from_body(body.to_string().as_bytes()).unwrap_err();
    let fields: Vec<_> = problems.iter().map(|problem| problem.field).collect();
    assert_eq!(fields, ["title", "description", "date", "time", "place", "organizer", "topics"]);
}

#[test]
fn a_document_has_the_fields_of_the_api_in_order() {
    let mut body = valid();
    body["date"] = json!("2020-1-2");
    body["id"] = json!("bbbbbbbbbbbbbbbbbbbbbbbb");
    let event = Event::from_body(body.to_string().as_bytes()).unwrap();
    let id = "5e0745fe9c1a2b3c4d5e6f70".parse().unwrap();
    let expected = "{\"id\": \"5e0745fe9c1a2b3c4d5e6f70\", \"title\": \"t\", \
        \"description\": \"dddddddddddddddddddd\", \"date\": \"2020-01-02\", \
        \"time\": \"20:50:12\", \"place\": \"\", \"organizer\": \"\", \"topics\": \"\"}";
    assert_eq!(String::from_utf8(event.document(id)).unwrap(), expected);
}
