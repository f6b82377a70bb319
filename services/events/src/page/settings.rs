//! The settings of the pages, from the command line.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use pages::{Keys, LanguageSetting};
use rest::access::origins::BaseUrl;

/// The arguments about the pages.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Page")]
pub struct PageArgs {
    /// URL of the notifications service for browsers; without it and a key, the pages offer no
    /// reminders
    #[arg(long, env = "NOTIFICATIONS_URL", value_name = "URL")]
    notifications_url: Option<BaseUrl>,

    /// File with the key that signs reminders, 64 hexadecimal digits: the same as that of the
    /// notifications service
    #[arg(long, env = "REMINDER_KEY_FILE", value_name = "FILE")]
    reminder_key_file: Option<PathBuf>,

    /// URL of this service for browsers, for the links in mails
    #[arg(long, env = "PUBLIC_URL", value_name = "URL")]
    public_url: Option<BaseUrl>,

    /// Language of the pages
    #[arg(long, env = "PAGE_LANGUAGE", value_enum, default_value_t)]
    language: LanguageSetting,

    /// Time zone of the events, such as Europe/Madrid; without it, a reminder takes the time zone of
    /// the device
    #[arg(long, env = "TIMEZONE", value_name = "NAME")]
    timezone: Option<Zone>,
}

/// A time zone by its name.
#[derive(Debug, Clone)]
struct Zone(TimeZone);

/// The settings of the pages.
#[derive(Debug)]
pub(super) struct PageSettings {
    pub(super) reminders: Option<ReminderSettings>,
    pub(super) language: LanguageSetting,
    /// The events' time zone.
    pub(super) zone: Option<TimeZone>,
}

/// How reminders are offered.
#[derive(Debug)]
pub(super) struct ReminderSettings {
    /// Where browsers ask for them.
    pub(super) notifications: BaseUrl,
    pub(super) keys: Keys,
    /// Where browsers find this service.
    pub(super) public_url: Option<String>,
}

impl PageArgs {
    /// Checks the settings. The error is for whoever starts the service.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.keys().map(drop)
    }

    fn keys(&self) -> Result<Option<Keys>, String> {
        let keys = self.reminder_key_file.as_deref().map(Keys::read).transpose();
        keys.map_err(|error| error.to_string())
    }

    /// The settings; the error is for whoever starts the service. `is_open` is whether strangers may
    /// write events.
    pub(super) fn settings(&self, is_open: bool) -> Result<PageSettings, String> {
        let keys = self.keys()?;
        if self.notifications_url.is_some() && keys.is_none() {
            tracing::warn!("there is no key for reminders, so the pages offer none");
        }
        if is_open && keys.is_some() {
            tracing::warn!(
                "access is open, and anybody could send any text by mail: the pages offer no \
                 reminders"
            );
        }
        let reminders = self.notifications_url.clone().zip(keys).filter(|_| !is_open);
        let reminders = reminders.map(|(notifications, keys)| {
            let public_url = self.public_url.as_ref().map(|it| it.url.clone());
            ReminderSettings { notifications, keys, public_url }
        });
        let zone = self.timezone.as_ref().map(|zone| zone.0.clone());
        Ok(PageSettings { reminders, language: self.language, zone })
    }
}

impl std::str::FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // It is shown by its name.
        let zone = TimeZone::get(text).ok().filter(|zone| zone.iana_name().is_some());
        zone.map(Self).ok_or("must be the name of a time zone, like Europe/Madrid".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_time_zones_are_validated() {
        let read = |text: &str| text.parse::<BaseUrl>();
        let found = read("https://notes.example.org/api/").unwrap();
        assert_eq!(found.url, "https://notes.example.org/api");
        assert_eq!(found.origin.as_str(), "https://notes.example.org");
        for bad in ["", "notes.example.org", "ftp://a", "http://a/?b", "http://a/#b", "http://a;b"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!("Europe/Madrid".parse::<Zone>().is_ok());
        for bad in ["Madrid", "Etc/Unknown", ""] {
            assert!(bad.parse::<Zone>().is_err(), "{bad}");
        }
    }
}
