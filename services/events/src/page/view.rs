//! Prepares events for display, and defines the templates, which escape everything that they
//! write.

use askama::Template;
use form_urlencoded::Serializer;
use rest::Resource;
use rest::fields::FieldError;
use store::{Document, ObjectId};

use super::form::Form;
use crate::Event;

/// The versions of the files that a page loads, as a part of their URLs.
#[derive(Debug)]
pub(super) struct Assets {
    pub(super) css: String,
    pub(super) js: String,
    pub(super) svg: String,
}

/// An event, as it is shown.
pub(super) struct EventView {
    id: ObjectId,
    title: String,
    description: String,
    /// For people.
    when: String,
    /// For HTML's `time`.
    datetime: String,
    place: String,
    organizer: String,
    topics: Vec<Topic>,
}

/// A topic, and the query that searches for it.
struct Topic {
    name: String,
    query: String,
}

impl EventView {
    /// A stored event; `None` if the document is something else.
    pub(super) fn of(document: &Document) -> Option<Self> {
        let event = Event::from_body(&document.bytes).ok()?;
        Some(Self::new(document.id, &event))
    }

    fn new(id: ObjectId, event: &Event) -> Self {
        let at = event.date.to_datetime(event.time);
        let topics = event.topics.split(',').map(str::trim).filter(|topic| !topic.is_empty());
        let query = |name| Serializer::new(String::new()).append_pair("topic", name).finish();
        let topics = topics.map(|name| Topic { name: name.to_owned(), query: query(name) });
        Self {
            id,
            title: event.title.clone(),
            description: event.description.clone(),
            when: at.strftime("%A, %-d %B %Y, %H:%M").to_string(),
            datetime: at.to_string(),
            place: event.place.clone(),
            organizer: event.organizer.clone(),
            topics: topics.collect(),
        }
    }
}

/// What is wrong with a field of the form, as a sentence.
pub(super) fn problem(problem: &FieldError) -> String {
    let name = match problem.field {
        "q" => "The search text",
        "topic" => "The topic",
        "place" => "The place",
        "from" => "The first day",
        "to" => "The last day",
        _ => "The page",
    };
    format!("{name} {}.", problem.message)
}

/// A list of events, and the search form.
#[derive(Template)]
#[template(path = "list.html")]
pub(super) struct ListPage<'a> {
    pub(super) assets: &'a Assets,
    pub(super) heading: &'static str,
    pub(super) form: &'a Form,
    pub(super) problems: Vec<String>,
    pub(super) events: Vec<EventView>,
    /// What is shown if there are no events.
    pub(super) empty_message: &'static str,
    /// The query of the next page.
    pub(super) next: Option<String>,
    /// The query of past events.
    pub(super) earlier: Option<String>,
}

/// One event, and the form for a reminder.
#[derive(Template)]
#[template(path = "event.html")]
pub(super) struct EventPage<'a> {
    pub(super) assets: &'a Assets,
    pub(super) event: EventView,
    /// The URL of the notifications service.
    pub(super) reminders: Option<&'a str>,
    /// Whether reminders are off because they would need a token.
    pub(super) reminders_need_token: bool,
}

/// There is no such event.
#[derive(Template)]
#[template(path = "not_found.html")]
pub(super) struct NotFoundPage<'a> {
    pub(super) assets: &'a Assets,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_escaped() {
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
        let view = || EventView::new(id, &event);
        let reminders = Some("http://a/\"x");
        let one =
            EventPage { assets: &assets, event: view(), reminders, reminders_need_token: false };
        let form = Form::parse("q=%22%3E%3Cscript%3E&topic=%3Cu%3E");
        let list = ListPage {
            assets: &assets,
            heading: "Search results",
            form: &form,
            problems: vec!["<s>".into()],
            events: vec![view()],
            empty_message: "",
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
