//! An event, as it is shown.

use form_urlencoded::Serializer;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use pages::{Language, when};
use rest::Resource;
use store::{Document, ObjectId};

use crate::Event;

/// An event, as it is shown.
pub(super) struct EventView {
    pub(super) id: ObjectId,
    pub(super) title: String,
    pub(super) description: String,
    /// For people, with the time zone if it is known.
    pub(super) when: String,
    /// For HTML's `time`, with the offset if it is known.
    pub(super) datetime: String,
    /// When it starts, in its own time zone.
    pub(super) start: DateTime,
    pub(super) place: String,
    pub(super) organizer: String,
    pub(super) topics: Vec<Topic>,
}

/// A topic, and the query that searches for it.
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) query: String,
}

impl EventView {
    /// A stored event; `None` if the document is something else.
    pub(super) fn of(
        document: &Document,
        language: Language,
        zone: Option<&TimeZone>,
    ) -> Option<Self> {
        let event = Event::from_body(&document.bytes).ok()?;
        Some(Self::new(document.id, &event, language, zone))
    }

    fn new(id: ObjectId, event: &Event, language: Language, zone: Option<&TimeZone>) -> Self {
        let start = event.date.to_datetime(event.time);
        let topics = event.topics.split(',').map(str::trim).filter(|topic| !topic.is_empty());
        let query = |name| Serializer::new(String::new()).append_pair("topic", name).finish();
        let topics = topics.map(|name| Topic { name: name.to_owned(), query: query(name) });
        let zoned = zone.and_then(|zone| zone.to_zoned_datetime(start).ok());
        let (when, datetime) = match &zoned {
            Some(zoned) => {
                let zone = zoned.time_zone().iana_name().unwrap_or_default();
                let datetime = zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
                (format!("{} ({zone})", when(start, language)), datetime)
            }
            None => (when(start, language), start.to_string()),
        };
        Self {
            id,
            title: event.title.clone(),
            description: event.description.clone(),
            when,
            datetime,
            start,
            place: event.place.clone(),
            organizer: event.organizer.clone(),
            topics: topics.collect(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in super::super) fn view(
        event: &serde_json::Value,
        language: Language,
        zone: Option<&TimeZone>,
    ) -> EventView {
        let event = Event::from_body(event.to_string().as_bytes()).unwrap();
        EventView::new(ObjectId::from_bytes([1; 12]), &event, language, zone)
    }

    #[test]
    fn a_time_zone_is_shown_and_its_offset_is_that_of_the_day() {
        let zone = TimeZone::get("Europe/Madrid").unwrap();
        let on = |date: &str| {
            let event = json!({
                "title": "t", "description": "d".repeat(20), "date": date, "time": "19:05:00",
            });
            view(&event, Language::Spanish, Some(&zone))
        };
        let winter = on("2026-12-24");
        assert_eq!(winter.when, "jueves, 24 de diciembre de 2026, 19:05 (Europe/Madrid)");
        assert_eq!(winter.datetime, "2026-12-24T19:05:00+01:00");
        assert_eq!(on("2026-07-24").datetime, "2026-07-24T19:05:00+02:00");
    }
}
