//! What the pages of both services share, and the reminders that one service hands to the other.
//!
//! ```text
//! language  the languages of pages and mails
//! texts     their texts, one file per language in texts/
//! when      times, as people write them
//! frame     what each page has: its files, its policy, its frame
//! keys      the keys that sign what visitors carry from one service to the other
//! reminder  a reminder of an event, as the events service signs it
//! ```

mod frame;
mod keys;
mod language;
mod reminder;
mod texts;
mod when;

pub use frame::{Assets, Frame, html, policy};
pub use keys::{KeyError, Keys, Purpose};
pub use language::{Language, LanguageSetting};
pub use reminder::{LeadTime, Reminder, Start};
pub use texts::{ConfirmTexts, EventTexts, ListTexts, MailTexts, ProblemTexts, RemindTexts};
pub use texts::{Texts, UnsubscribeTexts, fill};
pub use when::when;
