//! The notifications service: what a notification is made of, finding those for an
//! address, and sending them.

mod delivery;
mod recipients;

use jiff::civil::DateTime;
use rest::fields::Fields;
use rest::json::ObjectWriter;
use rest::{Resource, datetime};

pub use delivery::{Delivery, MailArgs};

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
    // Mail addresses are nobody else's business.
    const PRIVATE: bool = true;
    const DESCRIPTION: &'static str = include_str!("../openapi.json");

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        // Each field is read before any is used, so that all problems are found.
        let subject = fields.line("subject", 10..=70);
        let content = fields.text("content", 30..=700);
        let to_mail = fields.parsed("to_mail", parse_mail, "must be a mail address, like a@b.org");
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
            .text("scheduled_time", &datetime::format_datetime(self.scheduled_time));
    }
}

/// Takes what `^[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$` matches, as the
/// first EventPost did, but for a dot at the end.
fn parse_mail(text: &str) -> Option<String> {
    let (local, domain) = text.split_once('@')?;
    let (host, rest) = domain.split_once('.')?;
    let made_of = |part: &str, others: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    };
    let valid =
        made_of(local, "_.+-") && made_of(host, "-") && made_of(rest, "-.") && !rest.ends_with('.');
    valid.then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
