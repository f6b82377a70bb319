//! The key that signs a stack's reminders: created here, or taken over from the hosts.

use futures_util::future::try_join_all;
use pages::Keys;
use ssh::Host;

use super::Session;
use crate::config::Service;
use crate::docker;
use crate::error::Error;

impl Session {
    /// Creates the key if the services need one and there is none.
    pub(super) fn ensure_reminder_key(&self) -> Result<(), Error> {
        let keyring = self.keyring();
        if self.config.needs_reminder_key() && keyring.ensure_reminder_key()? {
            let path = keyring.reminder_key_path().display();
            self.reporter("access").done(format!("created the key for reminders in {path}"));
        }
        Ok(())
    }

    /// Takes over the key that the hosts have, where there is none on this machine: with another
    /// one, no reminder that is under way could be confirmed.
    pub(super) async fn adopt_reminder_key(
        &self,
        hosts: &[(&Host, &Service)],
    ) -> Result<(), Error> {
        let keyring = self.keyring();
        if !self.config.needs_reminder_key() || keyring.reminder_key_path().exists() {
            return Ok(());
        }
        let read = hosts.iter().map(|(host, service)| docker::read_reminder_key(host, service));
        let found = try_join_all(read).await?.into_iter().flatten();
        // What is none is replaced by a new one.
        if let Some(key) = found.into_iter().find(|key| Keys::parse(key).is_ok()) {
            keyring.save_reminder_key(&key)?;
            self.reporter("access").done("took over the key for reminders that the hosts have");
        }
        Ok(())
    }
}
