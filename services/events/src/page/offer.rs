//! The reminder that the page of an event offers.

use jiff::Timestamp;
use pages::{Language, LeadTime, RemindTexts, Reminder, Start, fill};

use super::event::EventView;
use super::settings::{PageSettings, ReminderSettings};

/// The limits of the notifications service, in code points.
const MAX_SUBJECT: usize = 70;
const MAX_CONTENT: usize = 700;
/// How long a page can be used, at most.
const HOURS: i64 = 7;
/// The lead time that is chosen at first.
const DEFAULT: &str = "1d";

/// The reminder of an event, and the form that asks for it.
pub(super) struct Offer {
    /// Where the notifications service is.
    pub(super) url: String,
    pub(super) signed: String,
    /// Whether the device has to say when the event starts.
    pub(super) needs_zone: bool,
    pub(super) choices: Vec<Choice>,
    pub(super) texts: &'static RemindTexts,
    /// The same, as JSON.
    pub(super) texts_for_script: String,
}

/// A lead time that can be chosen.
pub(super) struct Choice {
    pub(super) name: &'static str,
    pub(super) minutes: i64,
    pub(super) text: String,
    pub(super) is_default: bool,
}

impl Offer {
    /// The offer on the page of an event, if there are reminders.
    pub(super) fn of(
        event: &EventView,
        settings: &PageSettings,
        language: Language,
    ) -> Option<Self> {
        let reminders = settings.reminders.as_ref()?;
        let reminder = reminder(event, settings, reminders, language);
        let texts = &language.texts().remind;
        let choices = LeadTime::ALL.map(|LeadTime { name, minutes }| {
            let text = texts.lead_times.get(name).cloned().unwrap_or_default();
            Choice { name, minutes, text, is_default: name == DEFAULT }
        });
        Some(Self {
            url: reminders.notifications.url.clone(),
            signed: reminder.sign(&reminders.keys),
            needs_zone: settings.zone.is_none(),
            choices: choices.into(),
            texts,
            // Texts can be written as JSON.
            texts_for_script: serde_json::to_string(texts).unwrap_or_default(),
        })
    }
}

fn reminder(
    event: &EventView,
    settings: &PageSettings,
    reminders: &ReminderSettings,
    language: Language,
) -> Reminder {
    let start = match settings.zone.as_ref().map(|zone| zone.to_timestamp(event.start)) {
        Some(Ok(start)) => Start::At(start),
        _ => Start::Local(event.start),
    };
    let one_line = |text: &str| -> String {
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    };
    let title = one_line(&event.title);
    let subject = fill(&language.texts().mail.reminder_subject, &[("title", &title)]);
    let id = event.id.to_string();
    let link = reminders.public_url.as_ref().map(|url| format!("{url}/show/{id}"));
    Reminder {
        event: id,
        subject: truncated(&subject, MAX_SUBJECT),
        content: content(event, &title, link.as_deref()),
        title,
        when: event.when.clone(),
        start,
        expires: expiry(Timestamp::now()),
        language,
    }
}

/// When and where, the description as far as there is room for it, and the page.
fn content(event: &EventView, title: &str, link: Option<&str>) -> String {
    let place = Some(event.place.as_str()).filter(|place| !place.is_empty());
    let facts: Vec<_> = [event.when.as_str()].into_iter().chain(place).collect();
    let facts = format!("{title}\n{}", facts.join(", "));
    let link = link.map(|link| format!("\n\n{link}")).unwrap_or_default();
    let used = facts.chars().count() + link.chars().count() + 2;
    let description = truncated(&event.description, MAX_CONTENT.saturating_sub(used));
    format!("{facts}\n\n{description}{link}")
}

fn truncated(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// How long a page can be used after it was opened: not for long, since the event may change or be
/// removed. The same for a whole hour, so that the page stays the same, too.
fn expiry(now: Timestamp) -> Timestamp {
    let hour = now.as_second().div_euclid(3600) + HOURS;
    Timestamp::from_second(hour * 3600).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::event::tests::view;
    use super::*;
    use pages::{Keys, LanguageSetting};

    impl Offer {
        /// The offer for an event, signed by a key of its own.
        pub(in super::super) fn test(event: &EventView) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("key");
            rest::file::replace_file(&path, 0o600, Keys::generate().unwrap()).unwrap();
            let reminders = ReminderSettings {
                notifications: "http://a".parse().unwrap(),
                keys: Keys::read(&path).unwrap(),
                public_url: None,
            };
            let language = LanguageSetting::Auto;
            let settings = PageSettings { reminders: Some(reminders), language, zone: None };
            Self::of(event, &settings, Language::English).unwrap()
        }
    }

    #[test]
    fn a_page_can_be_used_for_hours_and_is_the_same_for_one() {
        for now in ["2026-12-01T20:00:00Z", "2026-12-01T20:59:59Z"] {
            assert_eq!(expiry(now.parse().unwrap()).to_string(), "2026-12-02T03:00:00Z");
        }
    }

    #[test]
    fn long_texts_are_cut_to_what_a_notification_may_have() {
        let event = json!({
            "title": "T".repeat(60), "description": "ñ".repeat(400), "place": "P".repeat(100),
            "date": "2026-12-24", "time": "19:05:00",
        });
        let event = view(&event, Language::English, None);
        let link = format!("https://events.example.org/show/{}", "a".repeat(200));
        let text = content(&event, &event.title, Some(&link));
        assert_eq!(text.chars().count(), MAX_CONTENT);
        assert!(text.ends_with(&format!("ñ…\n\n{link}")), "{text}");
        assert_eq!(truncated("abc", 3), "abc");
        assert_eq!(truncated("abcd", 3), "ab…");
    }
}
