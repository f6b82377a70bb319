//! A reminder as it is stored: a notification with a member `reminder`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use pages::{Language, fill};
use rest::Resource;
use rest::json::ObjectWriter;
use serde::Deserialize;
use store::{Document, ObjectId};

use super::request::NewReminder;
use crate::Notification;

/// The limits of a notification, in code points.
const MAX_SUBJECT: usize = 70;

/// What a notification knows of the reminder that it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct StoredReminder {
    /// The event's id.
    pub(crate) event: String,
    pub(crate) title: String,
    /// When the event is, in words.
    pub(crate) when: String,
    pub(crate) language: Language,
    /// When the notification is removed. Until then it can be confirmed.
    pub(crate) remove_at: Timestamp,
    #[serde(flatten)]
    pub(crate) state: State,
}

/// Whether the addressee has confirmed a reminder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(crate) enum State {
    Unconfirmed(Unconfirmed),
    Confirmed,
}

/// The notification that a reminder becomes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Unconfirmed {
    pub(super) subject: String,
    pub(super) content: String,
    pub(super) due: Timestamp,
}

/// A notification, as far as reminders are concerned.
#[derive(Deserialize)]
struct Stored {
    to_mail: String,
    reminder: Option<StoredReminder>,
}

impl StoredReminder {
    /// Whether it was not confirmed in time.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Unconfirmed(_)) && now >= self.remove_at
    }

    /// Whether it can be confirmed.
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Unconfirmed(_)) && now < self.remove_at
    }
}

/// The address and the reminder of a stored notification, if it is one.
pub(super) fn read(document: &[u8]) -> Option<(String, StoredReminder)> {
    let stored: Stored = serde_json::from_slice(document).ok()?;
    Some((stored.to_mail, stored.reminder?))
}

/// The notification whose mail asks the addressee to confirm.
pub(super) fn unconfirmed(
    id: ObjectId,
    new: &NewReminder,
    now: Timestamp,
    confirm_by: Timestamp,
) -> Document {
    let NewReminder { reminder, to_mail, due, .. } = new;
    let texts = &reminder.language.texts().mail;
    let values = [("title", reminder.title.as_str()), ("when", &reminder.when)];
    let subject = fill(&texts.confirm_subject, &values);
    let notification = Notification {
        subject: subject.chars().take(MAX_SUBJECT).collect(),
        content: fill(&texts.confirm_content, &values),
        to_mail: to_mail.clone(),
        scheduled_time: utc(now),
    };
    document(id, &notification, |out| {
        let event = [&reminder.event, &reminder.title, &reminder.when];
        write_members(out, "unconfirmed", event, reminder.language, confirm_by);
        out.text("due", &due.to_string());
        out.text("subject", &reminder.subject);
        out.text("content", &reminder.content);
    })
}

/// The notification that reminds the addressee.
pub(super) fn confirmed(
    id: ObjectId,
    to_mail: &str,
    reminder: &StoredReminder,
    open: &Unconfirmed,
    due: Timestamp,
    remove_at: Timestamp,
) -> Document {
    let notification = Notification {
        subject: open.subject.clone(),
        content: open.content.clone(),
        to_mail: to_mail.to_owned(),
        scheduled_time: utc(due),
    };
    document(id, &notification, |out| {
        let event = [&reminder.event, &reminder.title, &reminder.when];
        write_members(out, "confirmed", event, reminder.language, remove_at);
    })
}

/// Writes what a reminder has before and after its confirmation.
fn write_members(
    out: &mut ObjectWriter<'_>,
    state: &str,
    [event, title, when]: [&String; 3],
    language: Language,
    remove_at: Timestamp,
) {
    out.text("state", state).text("event", event).text("title", title).text("when", when);
    out.text("language", language.tag()).text("remove_at", &remove_at.to_string());
}

fn document(
    id: ObjectId,
    notification: &Notification,
    write: impl FnOnce(&mut ObjectWriter<'_>),
) -> Document {
    let mut bytes = notification.document(id);
    if let Some(mut object) = ObjectWriter::reopen(&mut bytes) {
        object.object("reminder", write);
        object.finish();
    }
    Document::new(id, bytes)
}

/// Whole seconds in UTC, as notifications have them; not before the time, since what was due before
/// it was made may have expired.
fn utc(time: Timestamp) -> DateTime {
    let begun = i64::from(time.subsec_nanosecond() > 0);
    let whole = Timestamp::from_second(time.as_second() + begun).unwrap_or(time);
    TimeZone::UTC.to_datetime(whole)
}

#[cfg(test)]
mod tests {
    use pages::Start;

    use super::super::request::tests::reminder;
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_reminder_is_read_as_it_was_stored_before_and_after_its_confirmation() {
        let id = ObjectId::from_bytes([5; 12]);
        let new = NewReminder {
            reminder: reminder(Start::At(time("2026-12-24T18:05:00Z"))),
            to_mail: "a@b.org".into(),
            start: time("2026-12-24T18:05:00Z"),
            due: time("2026-12-23T18:05:00Z"),
        };
        let now = time("2026-12-01T12:00:00.5Z");
        let document = unconfirmed(id, &new, now, time("2026-12-03T12:00:00Z"));
        assert_eq!(ObjectId::of_document(&document.bytes), Some(id));
        let (to_mail, stored) = read(&document.bytes).unwrap();
        assert_eq!((to_mail.as_str(), stored.title.as_str()), ("a@b.org", "Harvest market"));
        assert!(stored.is_open(now) && !stored.is_open(time("2026-12-03T12:00:00Z")));
        let State::Unconfirmed(open) = &stored.state else { panic!("{stored:?}") };
        assert_eq!((open.due, open.subject.as_str()), (new.due, "Reminder: Harvest market"));
        let text = String::from_utf8(document.bytes.to_vec()).unwrap();
        assert!(text.contains("\"scheduled_time\": \"2026-12-01T12:00:01\""), "{text}");

        let remove_at = time("2027-01-24T18:05:00Z");
        let document = confirmed(id, &to_mail, &stored, open, new.due, remove_at);
        let (_, stored) = read(&document.bytes).unwrap();
        assert_eq!((&stored.state, stored.remove_at), (&State::Confirmed, remove_at));
        assert!(!stored.is_open(now));
        let text = String::from_utf8(document.bytes.to_vec()).unwrap();
        assert!(text.contains("\"subject\": \"Reminder: Harvest market\""), "{text}");
        assert!(read(b"{\"to_mail\": \"a@b.org\"}").is_none());
    }
}
