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

    /// Takes over the keys that the hosts have and this machine has not: without them, no reminder
    /// that is under way could be confirmed, and nobody could end mails by a link that they have. A
    /// plan does so, too, since it compares with what hosts have.
    pub(super) async fn adopt_reminder_key(
        &self,
        hosts: &[(&Host, &Service)],
    ) -> Result<(), Error> {
        if !self.config.needs_reminder_key() {
            return Ok(());
        }
        let keyring = self.keyring();
        let read = hosts.iter().map(|(host, service)| docker::read_reminder_key(host, service));
        let found = try_join_all(read).await?.into_iter().flatten();
        let here = keyring.reminder_key()?.unwrap_or_default();
        // What is none is replaced.
        let merged = found
            .filter(|keys| Keys::parse(keys).is_ok())
            .fold(here.clone(), |known, others| with_missing_lines(known, &others));
        if merged != here {
            keyring.save_reminder_key(&merged)?;
            self.reporter("access").done("took over the key for reminders that the hosts have");
        }
        Ok(())
    }
}

/// Adds the lines that a text lacks to its end: the first key signs, and all others are valid. One
/// that is there as a comment was retired.
fn with_missing_lines(mut text: String, others: &str) -> String {
    let is_there =
        |line: &str| text.lines().any(|it| it.trim_start_matches(['#', ' ']).trim() == line);
    let missing: Vec<_> = others.lines().map(str::trim).filter(|line| !is_there(line)).collect();
    for line in missing {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_hosts_come_after_those_of_this_machine() {
        assert_eq!(with_missing_lines(String::new(), "a\nb\n"), "a\nb\n");
        assert_eq!(with_missing_lines("b".into(), "a\nb\n"), "b\na\n");
        assert_eq!(with_missing_lines("a\nb\n".into(), "b\n"), "a\nb\n");
        assert_eq!(with_missing_lines("a\n# b\n".into(), "b\n"), "a\n# b\n");
    }
}
