//! The notifications service.
//!
//! ```text
//! delivery   sends notifications when they are due
//! reminders  what visitors ask for and the addressee confirms
//! facts      what follows from a notification: its mail, and when it is removed
//! ```

mod delivery;
mod facts;
mod reminders;

use jiff::civil::DateTime;
use rest::Resource;
use rest::fields::Fields;
use rest::json::ObjectWriter;
use store::Facts;

pub use delivery::{Delivery, DeliveryArgs};

/// The longest address, in characters: a path of SMTP has 256 with its angle brackets
/// ([RFC 5321](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.3)).
const MAX_ADDRESS: usize = 254;
const NOT_AN_ADDRESS: &str = "must be an email address, like a@b.org, of at most 254 characters";

/// A mail to one address, to be sent at a set time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    subject: String,
    content: String,
    to_mail: String,
    /// In UTC.
    scheduled_time: DateTime,
}

impl Resource for Notification {
    const COLLECTION: &'static str = "notifications";
    // Email addresses are private.
    const PRIVATE: bool = true;
    const OPENAPI: &'static str = include_str!("../openapi.json");

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        // Read every field before using one, so that all problems are found.
        let subject = fields.line("subject", 10..=70);
        let content = fields.text("content", 30..=700);
        let to_mail = fields.parsed("to_mail", parse_mail, NOT_AN_ADDRESS);
        let scheduled_time = fields.datetime("scheduled_time");
        Some(Self {
            subject: subject?,
            content: content?,
            to_mail: to_mail?,
            scheduled_time: scheduled_time?,
        })
    }

    fn write(&self, out: &mut ObjectWriter<'_>) {
        out.text("subject", &self.subject)
            .text("content", &self.content)
            .text("to_mail", &self.to_mail)
            .text("scheduled_time", &self.scheduled_time.to_string());
    }

    fn facts(&self) -> Facts {
        let schedule = facts::schedule(&self.to_mail, Some(self.scheduled_time));
        Facts { delivery: Some(schedule), ..Facts::default() }
    }

    fn facts_of(document: &[u8]) -> Facts {
        facts::of_document(document)
    }
}

/// Accepts what `^[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$` matches, as the first EventPost
/// did, except for a dot at the end, up to the length that relays accept.
fn parse_mail(text: &str) -> Option<String> {
    let (local, domain) = text.split_once('@')?;
    let (host, rest) = domain.split_once('.')?;
    let consists_of = |part: &str, others: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    };
    let valid = consists_of(local, "_.+-")
        && consists_of(host, "-")
        && consists_of(rest, "-.")
        && !rest.ends_with('.')
        && text.len() <= MAX_ADDRESS;
    valid.then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
