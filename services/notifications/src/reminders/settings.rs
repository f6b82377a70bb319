//! The settings of reminders, from the command line.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::SignedDuration;
use pages::{Assets, Keys, LanguageSetting};
use rest::access::origins::BaseUrl;
use store::{IdGenerator, Store};
use tokio::sync::Mutex;

use super::bounds::Bounds;
use super::{Links, Reminders};

/// The arguments about reminders
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reminders")]
pub(crate) struct ReminderArgs {
    /// File with the key that signs reminders, 64 hexadecimal digits: the same as that of the events
    /// service. Without it and a public URL, visitors cannot ask for reminders
    #[arg(long, env = "REMINDER_KEY_FILE", value_name = "FILE")]
    reminder_key_file: Option<PathBuf>,

    /// URL of this service for browsers, for the links in mails
    #[arg(long, env = "PUBLIC_URL", value_name = "URL")]
    public_url: Option<BaseUrl>,

    /// Days that a reminder is kept after it was due, at least one
    #[arg(long, env = "REMINDER_RETENTION", value_name = "DAYS", default_value_t = 30,
        value_parser = clap::value_parser!(u16).range(0..=3650))]
    reminder_retention: u16,

    /// Maximum number of reminders that visitors can ask for in a day, in all; each sends a mail
    #[arg(long, env = "REMINDERS_PER_DAY", value_name = "N", default_value = "1000")]
    reminders_per_day: NonZeroU32,

    /// Language of the pages that confirm reminders and end mails
    #[arg(long, env = "PAGE_LANGUAGE", value_enum, default_value_t)]
    language: LanguageSetting,
}

impl ReminderArgs {
    /// Checks the settings. The error is for whoever starts the service.
    pub(crate) fn check(&self) -> Result<(), String> {
        let keys = self.reminder_key_file.as_deref().map(Keys::read).transpose();
        keys.map(drop).map_err(|error| error.to_string())
    }

    /// The reminders of a service with a store; `None` if visitors cannot ask for any.
    pub(crate) fn reminders(&self, store: Arc<dyn Store>) -> Result<Option<Reminders>, String> {
        let Some((keys, links)) = self.links()? else { return Ok(None) };
        let ids = IdGenerator::new();
        let ids =
            ids.map_err(|error| format!("the system has no source of randomness: {error}"))?;
        Ok(Some(Reminders {
            store,
            ids,
            keys,
            links,
            language: self.language,
            retention: SignedDuration::from_hours(24 * i64::from(self.reminder_retention)),
            bounds: Bounds::new(self.reminders_per_day),
            assets: Assets::default(),
            creating: Mutex::new(()),
        }))
    }

    fn links(&self) -> Result<Option<(Keys, Links)>, String> {
        let Some(file) = &self.reminder_key_file else { return Ok(None) };
        let keys = Keys::read(file).map_err(|error| error.to_string())?;
        let Some(url) = &self.public_url else {
            tracing::warn!("there is no public URL, so visitors cannot ask for reminders");
            return Ok(None);
        };
        Ok(Some((keys.clone(), Links::new(&url.url, keys))))
    }
}
