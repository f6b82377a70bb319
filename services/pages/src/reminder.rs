//! A reminder of an event, as the events service signs it and the notifications service takes it.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Keys, Language, Purpose};

/// A reminder that a page offers. Its texts are the event's, so that no visitor can have others
/// sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminder {
    /// The event.
    #[serde(rename = "e")]
    pub event: String,
    /// Its title.
    #[serde(rename = "t")]
    pub title: String,
    /// The day and time of it, in words.
    #[serde(rename = "w")]
    pub when: String,
    /// The subject of the mail.
    #[serde(rename = "s")]
    pub subject: String,
    /// The content of the mail.
    #[serde(rename = "c")]
    pub content: String,
    /// When the event starts.
    #[serde(rename = "a")]
    pub start: Start,
    /// Until when it can be asked for.
    #[serde(rename = "x")]
    pub expires: Timestamp,
    /// The language of its texts.
    #[serde(rename = "l")]
    pub language: Language,
}

/// When an event starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Start {
    /// At this time.
    At(Timestamp),
    /// When clocks show this time in a time zone that is not known.
    Local(DateTime),
}

/// How long before the event a reminder is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeadTime {
    /// Its name in the API.
    pub name: &'static str,
    /// In minutes.
    pub minutes: i64,
}

impl LeadTime {
    /// Those that can be chosen.
    pub const ALL: [Self; 5] = [
        Self { name: "0", minutes: 0 },
        Self { name: "15m", minutes: 15 },
        Self { name: "1h", minutes: 60 },
        Self { name: "1d", minutes: 1440 },
        Self { name: "1w", minutes: 10_080 },
    ];

    /// The one with this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name == name)
    }

    /// When a reminder of an event is due.
    pub fn before(self, start: Timestamp) -> Timestamp {
        start.checked_sub(SignedDuration::from_mins(self.minutes)).unwrap_or(Timestamp::MIN)
    }
}

impl Start {
    /// Whether a start that a device has calculated may be this one: time zones reach from UTC-12
    /// to UTC+14.
    pub fn may_be(self, start: Timestamp) -> bool {
        match self {
            Self::At(known) => known == start,
            Self::Local(time) => {
                let Ok(utc) = TimeZone::UTC.to_timestamp(time) else { return false };
                let difference = utc.duration_until(start);
                (SignedDuration::from_hours(-14)..=SignedDuration::from_hours(12))
                    .contains(&difference)
            }
        }
    }
}

impl Reminder {
    /// The reminder with a signature.
    pub fn sign(&self, keys: &Keys) -> String {
        // A struct of texts and times can be written.
        let payload = serde_json::to_vec(self).unwrap_or_default();
        keys.sign(Purpose::Reminder, &payload)
    }

    /// A reminder that was signed.
    pub fn verify(text: &str, keys: &Keys) -> Option<Self> {
        serde_json::from_slice(&keys.verify(Purpose::Reminder, text)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reminder_is_read_as_it_was_signed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        rest::file::replace_file(&path, 0o600, Keys::generate().unwrap()).unwrap();
        let keys = Keys::read(&path).unwrap();
        let starts = [
            Start::At("2026-12-24T18:05:00Z".parse().unwrap()),
            Start::Local("2026-12-24T19:05:00".parse().unwrap()),
        ];
        for start in starts {
            let reminder = Reminder {
                event: "5e0745fe9c1a2b3c4d5e6f70".into(),
                title: "Café".into(),
                when: "Thursday".into(),
                subject: "Reminder: Café".into(),
                content: "Thursday".into(),
                start,
                expires: "2026-12-02T00:00:00Z".parse().unwrap(),
                language: Language::Spanish,
            };
            assert_eq!(Reminder::verify(&reminder.sign(&keys), &keys), Some(reminder));
        }
    }

    #[test]
    fn a_device_may_be_in_any_time_zone() {
        let local = Start::Local("2026-12-24T12:00:00".parse().unwrap());
        for (start, expected) in [
            ("2026-12-24T12:00:00Z", true),
            ("2026-12-23T22:00:00Z", true),
            ("2026-12-25T00:00:00Z", true),
            ("2026-12-23T21:59:59Z", false),
            ("2026-12-25T00:00:01Z", false),
        ] {
            assert_eq!(local.may_be(start.parse().unwrap()), expected, "{start}");
        }
        let known: Timestamp = "2026-12-24T12:00:00Z".parse().unwrap();
        assert!(Start::At(known).may_be(known));
        assert!(!Start::At(known).may_be(Timestamp::MIN));
    }

    #[test]
    fn lead_times_have_names() {
        let start: Timestamp = "2026-12-24T12:00:00Z".parse().unwrap();
        let due = LeadTime::of("1d").unwrap().before(start);
        assert_eq!(due.to_string(), "2026-12-23T12:00:00Z");
        assert_eq!(LeadTime::of("2d"), None);
    }
}
