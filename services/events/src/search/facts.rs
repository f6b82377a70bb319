//! Says what finds an event: its time, the words of its texts, and its topics.

use jiff::civil::{Date, DateTime, Time, date};
use store::SearchFacts;
use store::words::{topics, words};

use crate::Event;

/// What finds an event.
pub(crate) fn facts(event: &Event) -> SearchFacts {
    let Event { title, description, place, organizer, topics: list, .. } = event;
    let texts = [title, description, place, organizer, list];
    SearchFacts {
        at: seconds(event.date, event.time),
        words: texts.into_iter().flat_map(|text| words(text)).collect(),
        place: words(place).collect(),
        topics: topics(list).collect(),
    }
}

/// The seconds from 1970 to a time of an event's own clock, as if that showed UTC.
pub(super) fn seconds(day: Date, time: Time) -> i64 {
    const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
    // Not by way of a timestamp, which could not be in the last day of the year 9999.
    day.to_datetime(time).duration_since(EPOCH).as_secs()
}

#[cfg(test)]
mod tests {
    use rest::Resource;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_found_by_the_words_of_all_its_texts() {
        let event = json!({
            "title": "Ópera & more",
            "description": "What happens there, and then.",
            "date": "1970-01-02",
            "time": "00:00:03",
            "place": "Café Central",
            "organizer": "Anna-Lena",
            "topics": "Música, rock & roll,, ",
        });
        let event = Event::from_body(event.to_string().as_bytes()).unwrap();
        let facts = event.facts().search.unwrap();
        assert_eq!(facts.at, 86_403);
        let words = "opera more what happens there and then cafe central anna lena \
            musica rock roll";
        assert_eq!(facts.words.join(" "), words);
        assert_eq!(facts.place, ["cafe", "central"]);
        assert_eq!(facts.topics, ["musica", "rock & roll"]);
        assert_eq!(event.facts().delivery, None);
    }

    #[test]
    fn every_time_that_an_event_may_have_is_a_number_of_seconds() {
        for (day, time, expected) in [
            (date(1, 1, 1), Time::MIN, -62_135_596_800),
            (date(1969, 12, 31), Time::constant(23, 59, 59, 0), -1),
            (date(1970, 1, 1), Time::MIN, 0),
            (date(9999, 12, 31), Time::constant(23, 59, 59, 0), 253_402_300_799),
        ] {
            assert_eq!(seconds(day, time), expected, "{day} {time}");
        }
    }
}
