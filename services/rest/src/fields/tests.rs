//! Valid and invalid bodies.

use super::*;

fn body_error(body: &str) -> String {
    let error = Fields::parse(body.as_bytes()).unwrap_err();
    assert_eq!(error.field, "body");
    error.message
}

#[test]
fn a_body_that_is_not_an_object_is_refused_with_its_kind() {
    for (body, kind) in [
        ("\"hello\"", "a string"),
        ("5", "a number"),
        ("null", "null"),
        ("true", "a boolean"),
        ("[{}]", "a list"),
    ] {
        assert_eq!(body_error(body), format!("must be a JSON object, not {kind}"));
    }
    assert!(body_error("{\"title\": ").starts_with("is not valid JSON: EOF"));
    assert!(Fields::parse(b"{\"title\": \"\xff\"}").is_err());
}

#[test]
fn every_problem_is_collected_in_order() {
    let mut fields =
        Fields::parse(br#"{"b": 5, "c": "2020-13-01", "d": ["x"], "e": "toolong"}"#).unwrap();
    let fields_read = (
        fields.text("a", 1..=3),
        fields.text("b", 1..=3),
        fields.date("c"),
        fields.optional_label("d", 3),
        fields.optional_label("e", 3),
    );
    assert_eq!(fields_read, (None, None, None, None, None));
    let problems = fields.finish::<()>(None).unwrap_err();
    let text: Vec<_> = problems.iter().map(|p| format!("{} {}", p.field, p.message)).collect();
    assert_eq!(
        text,
        [
            "a is required",
            "b must be a string, not a number",
            "c must be a date as YYYY-MM-DD",
            "d must be a string, not a list",
            "e must have at most 3 characters, not 7",
        ]
    );
}

#[test]
fn lengths_count_code_points() {
    let mut fields = Fields::parse(r#"{"a": "ñ日🎉", "b": "ñ日🎉x"}"#.as_bytes()).unwrap();
    assert_eq!(fields.text("a", 1..=3).as_deref(), Some("ñ日🎉"));
    assert_eq!(fields.text("b", 1..=3), None);
}

#[test]
fn optional_label_is_empty_when_absent_and_refused_when_null() {
    let mut fields = Fields::parse(br#"{"a": null}"#).unwrap();
    assert_eq!(fields.optional_label("b", 3).as_deref(), Some(""));
    assert_eq!(fields.optional_label("a", 3), None);
    let problem = &fields.finish::<()>(None).unwrap_err()[0];
    assert_eq!((problem.field, problem.message.as_str()), ("a", "must be a string, not null"));
}

#[test]
fn of_equal_keys_the_last_counts() {
    let mut fields = Fields::parse(br#"{"a": "one", "a": "two"}"#).unwrap();
    assert_eq!(fields.text("a", 1..=3).as_deref(), Some("two"));
}
