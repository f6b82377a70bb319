//! Prepares events for display, and holds the templates. Everything that the templates write is
//! escaped.

use askama::Template;
use form_urlencoded::Serializer;
use rest::fields::FieldError;
use rest::{ObjectId, datetime};

use super::form::Form;
use crate::Event;

/// What the files that a page loads are told apart by, when they change.
#[derive(Debug)]
pub(super) struct Assets {
    pub(super) css: String,
    pub(super) js: String,
    pub(super) svg: String,
}

/// An event.
pub(super) struct Found {
    id: ObjectId,
    title: String,
    description: String,
    /// In words.
    when: String,
    /// As HTML's `time` has it.
    datetime: String,
    place: String,
    organizer: String,
    topics: Vec<Topic>,
}

/// A topic, and the search for it.
struct Topic {
    name: String,
    query: String,
}

impl Found {
    pub(super) fn of(id: ObjectId, event: &Event) -> Self {
        let at = event.date.to_datetime(event.time);
        let topics = event.topics.split(',').map(str::trim).filter(|topic| !topic.is_empty());
        let query = |name| Serializer::new(String::new()).append_pair("topic", name).finish();
        let topics = topics.map(|name| Topic { name: name.to_owned(), query: query(name) });
        Self {
            id,
            title: event.title.clone(),
            description: event.description.clone(),
            when: at.strftime("%A, %-d %B %Y, %H:%M").to_string(),
            datetime: datetime::format_datetime(at),
            place: event.place.clone(),
            organizer: event.organizer.clone(),
            topics: topics.collect(),
        }
    }
}

/// What is wrong with a field, as a sentence.
pub(super) fn problem(problem: &FieldError) -> String {
    let name = match problem.field {
        "q" => "What to search for",
        "topic" => "The topic",
        "place" => "The place",
        "from" => "The first day",
        "to" => "The last day",
        _ => "The page",
    };
    format!("{name} {}.", problem.message)
}

/// Some events, and the form to find others.
#[derive(Template)]
#[template(path = "list.html")]
pub(super) struct List<'a> {
    pub(super) assets: &'a Assets,
    pub(super) heading: &'static str,
    pub(super) form: &'a Form,
    pub(super) problems: Vec<String>,
    pub(super) found: Vec<Found>,
    /// What is said where there are none.
    pub(super) nothing: &'static str,
    /// The query of the page after this one.
    pub(super) next: Option<String>,
    /// The query of what is over.
    pub(super) earlier: Option<String>,
}

/// One event, and being reminded of it.
#[derive(Template)]
#[template(path = "event.html")]
pub(super) struct One<'a> {
    pub(super) assets: &'a Assets,
    pub(super) event: Found,
    /// Where reminders are made.
    pub(super) reminders: Option<&'a str>,
    pub(super) closed: bool,
}

/// The word that there is no such event.
#[derive(Template)]
#[template(path = "missing.html")]
pub(super) struct Missing<'a> {
    pub(super) assets: &'a Assets,
}

#[cfg(test)]
mod tests {
    use rest::Resource;

    use super::*;

    #[test]
    fn what_people_write_is_text() {
        let event = serde_json::json!({
            "title": "<script>alert(1)</script>",
            "description": "</p><img src=x onerror=alert(1)> & \"more\"",
            "date": "2026-12-24",
            "time": "19:05:00",
            "place": "\"><b>",
            "organizer": "'<i>",
            "topics": "a&b, <u>",
        });
        let event = Event::from_body(event.to_string().as_bytes()).unwrap();
        let assets = Assets { css: String::new(), js: String::new(), svg: String::new() };
        let id = ObjectId::from_bytes([1; 12]);
        let found = || Found::of(id, &event);
        let reminders = Some("http://a/\"x");
        let one = One { assets: &assets, event: found(), reminders, closed: false };
        let form = Form::read("q=%22%3E%3Cscript%3E&topic=%3Cu%3E");
        let list = List {
            assets: &assets,
            heading: "Events found",
            form: &form,
            problems: vec!["<s>".into()],
            found: vec![found()],
            nothing: "",
            next: Some("q=%22&at=x".into()),
            earlier: None,
        };
        for page in [one.render().unwrap(), list.render().unwrap()] {
            assert!(page.contains("Thursday, 24 December 2026, 19:05"), "{page}");
            for tag in ["<script>", "<img", "<b>", "<i>", "<u>", "<s>", "a/\"x"] {
                assert!(!page.contains(tag), "{tag}: {page}");
            }
        }
    }
}
