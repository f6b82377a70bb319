//! Builds the mail of a notification.

use lettre::Message;
use lettre::message::{Mailbox, header};
use serde::Deserialize;
use store::{ObjectId, Tag};

/// A notification, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct StoredNotification {
    subject: String,
    content: String,
    to_mail: String,
}

impl StoredNotification {
    pub(super) fn parse(document: &[u8]) -> Option<Self> {
        serde_json::from_slice(document).ok()
    }

    /// Builds the mail. The same notification has the same Message-ID each time.
    pub(super) fn mail(&self, id: ObjectId, tag: Tag, from: &Mailbox) -> Result<Message, String> {
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
            .message_id(Some(format!("<{name}.{:016x}@{}>", tag.0, from.email.domain())))
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
        };
        let from = "EventPost <events@example.com>".parse().unwrap();
        let mail = stored.mail(ObjectId::from_bytes([0xab; 12]), Tag(7), &from).unwrap();
        String::from_utf8(mail.formatted()).unwrap()
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
