//! The texts of pages and mails: one file per language in `texts/`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::Language;

/// All texts in a language. `{name}` stands for a value that [`fill`] puts there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// Monday first.
    pub(crate) weekdays: Vec<String>,
    pub(crate) months: Vec<String>,
    pub(crate) date_and_time: String,
    /// The link to the content, for those who use a keyboard.
    pub skip: String,
    /// The link to the list of events.
    pub events: String,
    /// The list of events and its search form.
    pub list: ListTexts,
    /// The page of an event.
    pub event: EventTexts,
    /// The form for a reminder.
    pub remind: RemindTexts,
    /// The page that confirms a reminder.
    pub confirm: ConfirmTexts,
    /// The page that ends all mails.
    pub unsubscribe: UnsubscribeTexts,
    /// Mails.
    pub mail: MailTexts,
}

/// Declares texts by their names in the files.
macro_rules! texts {
    ($(#[$doc:meta])* $name:ident { $($text:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "each is the text of its name")]
        pub struct $name {
            $(pub $text: String,)*
        }
    };
}

/// The list of events and its search form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the text of its name")]
pub struct ListTexts {
    pub upcoming: String,
    pub results: String,
    pub search: String,
    pub filters: String,
    pub topic: String,
    pub place: String,
    pub from: String,
    pub to: String,
    pub more: String,
    pub earlier: String,
    pub none: String,
    pub no_upcoming_match: String,
    pub no_match: String,
    pub problems: ProblemTexts,
}

texts! {
    /// What can be wrong with a search, by the field of its form.
    ProblemTexts { text, topic, place, from, to, page }
}

texts! {
    /// The page of an event.
    EventTexts { when, where_, organizer, topics, not_found, may_be_cancelled, see_all }
}

/// The form for a reminder. The page's script gets all of them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the text of its name")]
pub struct RemindTexts {
    pub heading: String,
    pub needs_script: String,
    pub address: String,
    pub lead_time: String,
    pub lead_times: BTreeMap<String, String>,
    pub button: String,
    pub device_zone: String,
    pub sending: String,
    pub started: String,
    pub confirm: String,
    pub bad_address: String,
    pub outdated: String,
    pub too_many: String,
    pub off: String,
    pub failed: String,
    pub unreachable: String,
}

texts! {
    /// The page that confirms a reminder.
    ConfirmTexts {
        heading, question, button, done_heading, done, expired_heading, expired,
    }
}

texts! {
    /// The page that ends all mails to an address.
    UnsubscribeTexts {
        heading, question, button, done_heading, done, undo_question, undo_button,
        undone_heading, undone, invalid_heading, invalid,
    }
}

texts! {
    /// Mails.
    MailTexts { reminder_subject, confirm_subject, confirm_content, ignore, unsubscribe }
}

impl Language {
    /// The texts in this language.
    pub fn texts(self) -> &'static Texts {
        static ENGLISH: LazyLock<Texts> = LazyLock::new(|| parse(include_str!("../texts/en.json")));
        static SPANISH: LazyLock<Texts> = LazyLock::new(|| parse(include_str!("../texts/es.json")));
        match self {
            Self::English => &ENGLISH,
            Self::Spanish => &SPANISH,
        }
    }
}

fn parse(text: &str) -> Texts {
    serde_json::from_str(text).expect("a test reads all of the files")
}

/// A text with values in the places of their names.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let named = after.split_once('}').and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(it, _)| *it == name)?;
            Some((*value, after))
        });
        // Values are not looked at again: what they contain stays as it is.
        let (value, after) = named.unwrap_or(("{", after));
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LeadTime;

    /// The names of places in the texts of a file, by the path of the text.
    fn places(path: &str, value: &serde_json::Value, found: &mut BTreeMap<String, Vec<String>>) {
        match value {
            serde_json::Value::Object(members) => {
                members.iter().for_each(|(name, it)| places(&format!("{path}.{name}"), it, found));
            }
            serde_json::Value::Array(items) => {
                let numbered = items.iter().enumerate();
                numbered.for_each(|(n, it)| places(&format!("{path}.{n}"), it, found));
            }
            other => {
                let text = other.as_str().unwrap();
                let names = text.split('{').skip(1).filter_map(|it| it.split_once('}'));
                let mut names: Vec<_> = names.map(|(name, _)| name.to_owned()).collect();
                names.sort();
                assert!(!text.trim().is_empty(), "{path}");
                found.insert(path.to_owned(), names);
            }
        }
    }

    #[test]
    fn all_languages_have_the_same_texts_with_the_same_places() {
        let files = [include_str!("../texts/en.json"), include_str!("../texts/es.json")];
        let [english, spanish] = files.map(|file| {
            let mut found = BTreeMap::new();
            places("", &serde_json::from_str(file).unwrap(), &mut found);
            found
        });
        assert_eq!(english, spanish);
        for language in Language::ALL {
            let texts = language.texts();
            assert_eq!((texts.weekdays.len(), texts.months.len()), (7, 12));
            for lead_time in LeadTime::ALL {
                assert!(texts.remind.lead_times.contains_key(lead_time.name), "{lead_time:?}");
            }
        }
    }

    #[test]
    fn values_are_filled_in_and_not_looked_at_again() {
        let values = [("title", "{when}"), ("when", "now")];
        assert_eq!(fill("a {title} {when} {other} {", &values), "a {when} now {other} {");
    }
}
