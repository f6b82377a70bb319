//! What the page of an event asks for.

use jiff::Timestamp;
use pages::{Keys, LeadTime, Reminder, Start};
use rest::fields::{FieldError, Fields};

use crate::{NOT_AN_ADDRESS, parse_mail};

const NOT_SIGNED: &str = "must be the one of the event's page, which may be too old: reload it";
const NOT_A_LEAD_TIME: &str = "must be 0, 15m, 1h, 1d or 1w";

/// A reminder that somebody asks for.
#[derive(Debug)]
pub(super) struct NewReminder {
    /// What the events service has signed.
    pub(super) reminder: Reminder,
    pub(super) to_mail: String,
    /// When the event starts.
    pub(super) start: Timestamp,
    pub(super) due: Timestamp,
}

/// Parses the body of a request.
pub(super) fn parse(
    body: &[u8],
    keys: &Keys,
    now: Timestamp,
) -> Result<NewReminder, Vec<FieldError>> {
    let mut fields = Fields::parse(body).map_err(|error| vec![error])?;
    let signed =
        |text: &str| Reminder::verify(text, keys).filter(|reminder| reminder.expires > now);
    let reminder = fields.parsed("reminder", signed, NOT_SIGNED);
    let to_mail = fields.parsed("to_mail", parse_mail, NOT_AN_ADDRESS);
    let lead_time = fields.parsed("before", LeadTime::of, NOT_A_LEAD_TIME);
    let said = fields.optional_label("start", 40);
    let read = || Some((reminder?, to_mail?, lead_time?, said?));
    let read = read();
    let (reminder, to_mail, lead_time, said) = fields.finish(read)?;
    let start = start(&reminder, &said).map_err(|message| vec![problem("start", message)])?;
    if start <= now {
        return Err(vec![problem("reminder", "is of an event that has started")]);
    }
    Ok(NewReminder { reminder, to_mail, start, due: lead_time.before(start) })
}

/// When the event starts, as the events service or else the visitor's device says.
fn start(reminder: &Reminder, said: &str) -> Result<Timestamp, &'static str> {
    match reminder.start {
        Start::At(start) => Ok(start),
        Start::Local(_) => {
            let start = said.parse().map_err(|_| "must be a time like 2026-12-24T18:05:00Z")?;
            let may_be = reminder.start.may_be(start);
            may_be.then_some(start).ok_or("must be the start of the event in some time zone")
        }
    }
}

fn problem(field: &'static str, message: &str) -> FieldError {
    FieldError { field, message: message.to_owned() }
}

#[cfg(test)]
pub(super) mod tests {
    use pages::Language;
    use serde_json::json;

    use super::*;

    pub(in super::super) fn reminder(start: Start) -> Reminder {
        Reminder {
            event: "5e0745fe9c1a2b3c4d5e6f70".into(),
            title: "Harvest market".into(),
            when: "Thursday, 24 December 2026, 19:05".into(),
            subject: "Reminder: Harvest market".into(),
            content: "Harvest market\nThursday, 24 December 2026, 19:05".into(),
            start,
            expires: "2026-12-03T00:00:00Z".parse().unwrap(),
            language: Language::English,
        }
    }

    fn keys() -> Keys {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        rest::file::replace_file(&path, 0o600, Keys::generate().unwrap()).unwrap();
        Keys::read(&path).unwrap()
    }

    #[test]
    fn a_reminder_is_due_before_the_start_that_was_signed_or_that_a_device_says() {
        let keys = keys();
        let at = reminder(Start::At("2026-12-24T18:05:00Z".parse().unwrap())).sign(&keys);
        let local = reminder(Start::Local("2026-12-24T19:05:00".parse().unwrap())).sign(&keys);
        let now = "2026-12-01T12:00:00Z";
        let asked = |reminder: &str, before: &str, start: &str, now: &str| {
            let body = json!({
                "reminder": reminder, "to_mail": "a@b.org", "before": before, "start": start,
            });
            let asked = parse(body.to_string().as_bytes(), &keys, now.parse().unwrap());
            let text = |problems: Vec<FieldError>| {
                let problems = problems.iter().map(|it| format!("{} {}", it.field, it.message));
                problems.collect::<Vec<_>>().join("; ")
            };
            asked.map(|new| new.due.to_string()).map_err(text)
        };
        assert_eq!(asked(&at, "1d", "", now), Ok("2026-12-23T18:05:00Z".into()));
        // What a device says counts only where nobody else knows.
        assert_eq!(asked(&at, "0", "2026-12-24T08:00:00Z", now), Ok("2026-12-24T18:05:00Z".into()));
        assert_eq!(
            asked(&local, "1h", "2026-12-24T18:05:00Z", now),
            Ok("2026-12-24T17:05:00Z".into())
        );
        for (reminder, before, start, now, expected) in [
            (&local, "1h", "", now, "start must be a time"),
            (&local, "1h", "2027-12-24T18:05:00Z", now, "start must be the start of the event"),
            (&at, "2d", "", now, "before must be 0, 15m"),
            (&at, "0", "", "2026-12-03T00:00:00Z", "reminder must be the one of the event's page"),
            (&at[1..].to_owned(), "0", "", now, "reminder must be the one of the event's page"),
        ] {
            let error = asked(reminder, before, start, now).unwrap_err();
            assert!(error.starts_with(expected), "{expected}: {error}");
        }
        let late = reminder(Start::At("2026-12-01T11:59:59Z".parse().unwrap())).sign(&keys);
        let error = asked(&late, "0", "", now).unwrap_err();
        assert_eq!(error, "reminder is of an event that has started");
    }
}
