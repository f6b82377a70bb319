//! Builds the mail of a notification.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use lettre::Message;
use lettre::message::{Mailbox, header};
use rest::ObjectId;
use serde::Deserialize;

/// A notification, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct StoredNotification {
    subject: String,
    content: String,
    to_mail: String,
    scheduled_time: String,
}

impl StoredNotification {
    pub(super) fn parse(document: &[u8]) -> Option<Self> {
        serde_json::from_slice(document).ok()
    }

    /// When it is due, in milliseconds since 1970; 0 if that is earlier.
    pub(super) fn due(&self) -> u64 {
        let time = self.scheduled_time.parse::<DateTime>().ok();
        let stamp = time.map(|time| TimeZone::UTC.to_timestamp(time));
        match stamp {
            Some(Ok(stamp)) => stamp.as_millisecond().try_into().unwrap_or(0),
            // Timestamps end before the last day of the year 9999.
            _ => u64::MAX,
        }
    }

    /// Builds the mail. The same notification has the same Message-ID each time.
    pub(super) fn mail(&self, id: ObjectId, tag: u64, from: &Mailbox) -> Result<Message, String> {
        let to = self.to_mail.parse::<Mailbox>();
        let to = to.map_err(|error| format!("{}: {error}", self.to_mail))?;
        // Early versions stored subjects with line breaks.
        let subject: String =
            self.subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let name = String::from_utf8_lossy(&id.hex()).into_owned();
        Message::builder()
            .from(from.clone())
            .to(to)
            .subject(subject)
            .message_id(Some(format!("<{name}.{tag:016x}@{}>", from.email.domain())))
            .header(header::ContentType::TEXT_PLAIN)
            .body(self.content.clone())
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(subject: &str, content: &str) -> String {
        let stored = StoredNotification {
            subject: subject.into(),
            content: content.into(),
            to_mail: "a@example.org".into(),
            scheduled_time: "2026-01-01T00:00:01".into(),
        };
        assert_eq!(stored.due(), 1_767_225_601_000);
        let from = "EventPost <events@example.com>".parse().unwrap();
        let mail = stored.mail(ObjectId::from_bytes([0xab; 12]), 7, &from).unwrap();
        String::from_utf8(mail.formatted()).unwrap()
    }

    #[test]
    fn times_beyond_timestamps_are_due_first_or_last() {
        let due = |time: &str| {
            let (subject, content, to_mail) = Default::default();
            StoredNotification { subject, content, to_mail, scheduled_time: time.into() }.due()
        };
        assert_eq!(due("1066-10-14T09:00:00"), 0);
        assert_eq!(due("9999-12-31T23:59:59"), u64::MAX);
    }

    #[test]
    fn a_mail_has_its_headers_and_its_content() {
        let text = mail("A subject", "Line one\nand line two");
        for line in [
            "From: EventPost <events@example.com>\r\n",
            "To: a@example.org\r\n",
            "Subject: A subject\r\n",
            "Message-ID: <abababababababababababab.0000000000000007@example.com>\r\n",
            "\r\n\r\nLine one\r\nand line two",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn a_subject_cannot_add_headers_and_is_encoded() {
        let text = mail("One\r\nBcc: everybody@example.org", "x");
        assert!(!text.contains("\nBcc:"), "{text}");
        let text = mail("Grüße aus Köln", "Schöne Grüße");
        assert!(text.is_ascii() && text.contains("Subject: =?utf-8?"), "{text}");
    }
}
