//! Builds the mail of a notification.

use jiff::Timestamp;
use lettre::Message;
use lettre::message::{Mailbox, header};
use serde::Deserialize;
use store::{ObjectId, Tag};

use super::headers::{AutoSubmitted, ListUnsubscribe, ListUnsubscribePost};
use crate::reminders::{Links, State, StoredReminder};

/// A notification, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct StoredNotification {
    subject: String,
    content: String,
    to_mail: String,
    #[serde(default)]
    reminder: Option<StoredReminder>,
}

impl StoredNotification {
    pub(super) fn parse(document: &[u8]) -> Option<Self> {
        serde_json::from_slice(document).ok()
    }

    /// The address that it is for.
    pub(super) fn to_mail(&self) -> &str {
        &self.to_mail
    }

    /// Builds the mail. The same notification has the same Message-ID each time.
    pub(super) fn mail(
        &self,
        id: ObjectId,
        tag: Tag,
        from: &Mailbox,
        links: Option<&Links>,
    ) -> Result<Message, String> {
        let to = self.to_mail.parse::<Mailbox>();
        let to = to.map_err(|error| format!("{}: {error}", self.to_mail))?;
        // Early versions stored subjects with line breaks.
        let subject: String =
            self.subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let name = String::from_utf8_lossy(&id.hex()).into_owned();
        let mut mail = Message::builder()
            .from(from.clone())
            .to(to)
            .subject(subject)
            .message_id(Some(format!("<{name}.{:016x}@{}>", tag.0, from.email.domain())))
            .header(AutoSubmitted)
            .header(header::ContentType::TEXT_PLAIN);
        if let Some(links) = links {
            let link = links.unsubscribe(&self.to_mail);
            mail = mail.header(ListUnsubscribe(link)).header(ListUnsubscribePost);
        }
        mail.body(self.content(id, links)?).map_err(|error| error.to_string())
    }

    /// The content, with the links of a reminder.
    fn content(&self, id: ObjectId, links: Option<&Links>) -> Result<String, String> {
        let Some(reminder) = &self.reminder else { return Ok(self.content.clone()) };
        if reminder.is_over(Timestamp::now()) {
            return Err("it can no longer be confirmed".into());
        }
        let texts = &reminder.language.texts().mail;
        let mut content = self.content.clone();
        if let State::Unconfirmed(_) = &reminder.state {
            let links = links.ok_or("without a reminder key, it cannot be confirmed")?;
            content = format!("{content}\n{}\n\n{}", links.confirm(id), texts.ignore);
        }
        if let Some(links) = links {
            let link = links.unsubscribe(&self.to_mail);
            content = format!("{content}\n\n-- \n{}\n{link}\n", texts.unsubscribe);
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::reminders::test_links;

    fn mail(stored: &serde_json::Value, links: Option<&Links>) -> Result<String, String> {
        let stored = StoredNotification::parse(stored.to_string().as_bytes()).unwrap();
        let from = "EventPost <events@example.com>".parse().unwrap();
        let mail = stored.mail(ObjectId::from_bytes([0xab; 12]), Tag(7), &from, links)?;
        Ok(String::from_utf8(mail.formatted()).unwrap())
    }

    fn plain(subject: &str, content: &str) -> String {
        let stored = json!({"subject": subject, "content": content, "to_mail": "a@example.org"});
        mail(&stored, None).unwrap()
    }

    #[test]
    fn a_mail_has_its_headers_and_its_content() {
        let text = plain("A subject", "Line one\nand line two");
        for line in [
            "From: EventPost <events@example.com>\r\n",
            "To: a@example.org\r\n",
            "Subject: A subject\r\n",
            "Message-ID: <abababababababababababab.0000000000000007@example.com>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "\r\n\r\nLine one\r\nand line two",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(!text.contains("List-Unsubscribe"), "{text}");
    }

    #[test]
    fn a_subject_cannot_add_headers_and_is_encoded() {
        let text = plain("One\r\nBcc: everybody@example.org", "x");
        assert!(!text.contains("\nBcc:"), "{text}");
        let text = plain("Grüße aus Köln", "Schöne Grüße");
        assert!(text.is_ascii() && text.contains("Subject: =?utf-8?"), "{text}");
    }

    #[test]
    fn each_mail_can_end_all_mails_and_that_of_a_reminder_says_so() {
        let links = test_links();
        let stored = json!({"subject": "A subject", "content": "text", "to_mail": "a@example.org"});
        let text = mail(&stored, Some(&links)).unwrap();
        let end = links.unsubscribe("a@example.org");
        assert!(text.contains(&format!("List-Unsubscribe: <{end}>\r\n")), "{text}");
        assert!(text.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{text}");
        // Whoever creates a notification decides what is in it.
        assert!(text.ends_with("\r\n\r\ntext"), "{text}");

        let mut stored = json!({
            "subject": "Confirm", "content": "Open this:", "to_mail": "a@example.org",
            "reminder": {
                "state": "unconfirmed", "event": "5e0745fe9c1a2b3c4d5e6f70", "title": "t",
                "when": "w", "language": "en", "remove_at": "2999-12-03T00:00:00Z",
                "due": "2026-12-02T00:00:00Z", "subject": "s", "content": "c",
            },
        });
        let text = mail(&stored, Some(&links)).unwrap();
        let confirm = links.confirm(ObjectId::from_bytes([0xab; 12]));
        assert!(text.contains("auto-generated"), "{text}");
        // Links are longer than lines of a mail.
        let unfolded = text.replace("=\r\n", "").replace("=3D", "=");
        assert!(unfolded.contains(&format!("Open this:\r\n{confirm}\r\n")), "{text}");
        assert!(unfolded.ends_with(&format!("{end}\r\n")), "{text}");
        assert!(mail(&stored, None).is_err());
        stored["reminder"]["remove_at"] = "2020-12-03T00:00:00Z".into();
        assert!(mail(&stored, Some(&links)).is_err());
        stored["reminder"]["state"] = "confirmed".into();
        let text = mail(&stored, Some(&links)).unwrap();
        assert!(!text.contains("/confirm?"), "{text}");
    }
}
