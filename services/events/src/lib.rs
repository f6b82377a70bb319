//! The events service: what an event is made of, finding some, and showing them to people.

mod extras;
mod page;
mod search;

use jiff::civil::{Date, Time};
use rest::fields::Fields;
use rest::json::ObjectWriter;
use rest::{Resource, datetime};

pub use extras::Extras;
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
    const DESCRIPTION: &'static str = include_str!("../openapi.json");

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        // Each field is read before any is used, so that all problems are found.
        let title = fields.text("title", 1..=60);
        let description = fields.text("description", 20..=400);
        let date = fields.date("date");
        let time = fields.time("time");
        let place = fields.optional_text("place", 100);
        let organizer = fields.optional_text("organizer", 50);
        let topics = fields.optional_text("topics", 50);
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
            .text("date", &datetime::format_date(self.date))
            .text("time", &datetime::format_time(self.time))
            .text("place", &self.place)
            .text("organizer", &self.organizer)
            .text("topics", &self.topics);
    }
}

#[cfg(test)]
mod tests;
