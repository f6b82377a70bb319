//! The events service: the fields of an event, the search, and the pages for people.

mod extension;
mod page;
mod search;

use jiff::civil::{Date, Time};
use rest::Resource;
use rest::fields::Fields;
use rest::json::ObjectWriter;
use store::Facts;

pub use extension::EventsExtension;
pub use page::PageArgs;

/// Something that happens at a place and a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    title: String,
    description: String,
    date: Date,
    time: Time,
    place: String,
    organizer: String,
    topics: String,
}

impl Resource for Event {
    const COLLECTION: &'static str = "events";
    const PRIVATE: bool = false;
    const OPENAPI: &'static str = include_str!("../openapi.json");

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        // Read every field before using one, so that all problems are found.
        let title = fields.label("title", 1..=60);
        let description = fields.text("description", 20..=400);
        let date = fields.date("date");
        let time = fields.time("time");
        let place = fields.optional_label("place", 100);
        let organizer = fields.optional_label("organizer", 50);
        let topics = fields.optional_label("topics", 50);
        Some(Self {
            title: title?,
            description: description?,
            date: date?,
            time: time?,
            place: place?,
            organizer: organizer?,
            topics: topics?,
        })
    }

    fn write(&self, out: &mut ObjectWriter<'_>) {
        out.text("title", &self.title)
            .text("description", &self.description)
            .text("date", &self.date.to_string())
            .text("time", &self.time.to_string())
            .text("place", &self.place)
            .text("organizer", &self.organizer)
            .text("topics", &self.topics);
    }

    fn facts(&self) -> Facts {
        Facts { search: Some(search::facts(self)), ..Facts::default() }
    }
}

#[cfg(test)]
mod tests;
