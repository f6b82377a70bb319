//! Says what follows from a notification: to whom and when its mail is to be sent, and when it is
//! removed.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use store::{Facts, Schedule};

use crate::reminders::{State, StoredReminder};

/// What a stored notification says of its mail.
#[derive(Deserialize)]
struct Stored {
    to_mail: String,
    scheduled_time: String,
    #[serde(default)]
    reminder: Option<StoredReminder>,
}

/// The mail to an address at a time in UTC. Times before 1970 are due at once, those beyond
/// what timestamps can hold, which end in the year 9999, never.
pub(crate) fn schedule(to_mail: &str, time: Option<DateTime>) -> Schedule {
    let due = match time.map(|time| TimeZone::UTC.to_timestamp(time)) {
        Some(Ok(time)) => time.as_millisecond().try_into().unwrap_or(0),
        _ => u64::MAX,
    };
    Schedule { recipient: to_mail.to_ascii_lowercase(), due, is_other_mail: false }
}

/// What follows from a stored notification, which need not satisfy today's rules: early versions
/// stored subjects with line breaks.
pub(crate) fn of_document(document: &[u8]) -> Facts {
    let Ok(stored) = serde_json::from_slice::<Stored>(document) else { return Facts::default() };
    let mut schedule = schedule(&stored.to_mail, stored.scheduled_time.parse().ok());
    // What was sent before was the mail that asks for the confirmation.
    let is_confirmed = |reminder: &StoredReminder| reminder.state == State::Confirmed;
    schedule.is_other_mail = stored.reminder.as_ref().is_some_and(is_confirmed);
    let remove_at =
        stored.reminder.map(|reminder| reminder.remove_at.as_millisecond().try_into().unwrap_or(0));
    Facts { delivery: Some(schedule), remove_at, ..Facts::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(time: &str) -> u64 {
        schedule("a@b.org", time.parse().ok()).due
    }

    #[test]
    fn times_are_milliseconds_since_1970() {
        assert_eq!(due("2026-01-01T00:00:01"), 1_767_225_601_000);
        assert_eq!(due("1066-10-14T09:00:00"), 0);
        assert_eq!(due("9999-12-31T23:59:59"), u64::MAX);
    }

    #[test]
    fn addresses_are_compared_in_lower_case() {
        assert_eq!(schedule("A.B+c@Example.ORG", None).recipient, "a.b+c@example.org");
    }

    #[test]
    fn notifications_of_early_versions_are_scheduled_too() {
        let stored = br#"{"id": "5e0745fe9c1a2b3c4d5e6f70", "subject": "Two\nlines", "content": "",
            "to_mail": "A@b.org", "scheduled_time": "1970-01-01T00:00:02"}"#;
        let expected = Schedule { recipient: "a@b.org".into(), due: 2000, is_other_mail: false };
        assert_eq!(of_document(stored).delivery, Some(expected));
        assert_eq!(of_document(b"{}"), Facts::default());
    }
}
