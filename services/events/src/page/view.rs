//! Defines the templates, which escape everything that they write.

use askama::Template;
use pages::{EventTexts, Frame, ListTexts, ProblemTexts};
use rest::fields::FieldError;

use super::event::EventView;
use super::form::Form;
use super::offer::Offer;

/// What is wrong with a field of the form, as a sentence.
pub(super) fn problem(problem: &FieldError, texts: &ProblemTexts) -> String {
    let text = match problem.field {
        "q" => &texts.text,
        "topic" => &texts.topic,
        "place" => &texts.place,
        "from" => &texts.from,
        "to" => &texts.to,
        _ => &texts.page,
    };
    text.clone()
}

/// A list of events, and the search form.
#[derive(Template)]
#[template(path = "list.html")]
pub(super) struct ListPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) texts: &'static ListTexts,
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
    pub(super) frame: Frame<'a>,
    pub(super) texts: &'static EventTexts,
    pub(super) event: EventView,
    /// The version of the script.
    pub(super) script: &'a str,
    pub(super) offer: Option<Offer>,
}

/// There is no such event.
#[derive(Template)]
#[template(path = "not_found.html")]
pub(super) struct NotFoundPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) texts: &'static EventTexts,
}

#[cfg(test)]
mod tests {
    use pages::{Assets, Language};
    use serde_json::json;

    use super::super::event::tests::view;
    use super::*;

    #[test]
    fn what_people_write_is_escaped() {
        let event = json!({
            "title": "<script>alert(1)</script>",
            "description": "</p><img src=x onerror=alert(1)> & \"more\"",
            "date": "2026-12-24",
            "time": "19:05:00",
            "place": "\"><b>",
            "organizer": "'<i>",
            "topics": "a&b, <u>",
        });
        let assets = Assets::default();
        let frame = || Frame::new(&assets, Language::English, true);
        let view = || view(&event, Language::English, None);
        let texts = Language::English.texts();
        let offer = Offer { url: "http://a/\"x".into(), ..Offer::test(&view()) };
        let one = EventPage {
            frame: frame(),
            texts: &texts.event,
            event: view(),
            script: "",
            offer: Some(offer),
        };
        let form = Form::parse("q=%22%3E%3Cscript%3E&topic=%3Cu%3E");
        let list = ListPage {
            frame: frame(),
            texts: &texts.list,
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
