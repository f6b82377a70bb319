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
        // A file on a host that has something else than keys is replaced.
        let merged = found
            .filter(|keys| Keys::parse(keys).is_ok())
            .fold(here.clone(), |known, others| with_keys_of(&known, &others));
        if merged != here {
            keyring.save_reminder_key(&merged)?;
            self.reporter("access").done("took over the key for reminders that the hosts have");
        }
        Ok(())
    }
}

/// Adds the keys that a text lacks to its end: the first key signs, and all others are valid. One
/// that is in a comment of either was retired: it is not added, and one that others have retired is
/// commented out.
fn with_keys_of(text: &str, others: &str) -> String {
    let retired: Vec<_> = others.lines().filter(|it| is_comment(it)).filter_map(key_of).collect();
    let mut keys = String::new();
    for line in text.lines() {
        let is_retired = key_of(line).is_some_and(|key| retired.contains(&key));
        keys.push_str(if is_retired && !is_comment(line) { "# " } else { "" });
        keys.push_str(line);
        keys.push('\n');
    }
    let known: Vec<_> = text.lines().filter_map(key_of).chain(retired).collect();
    for key in others.lines().filter_map(key_of).filter(|key| !known.contains(key)) {
        keys.push_str(key);
        keys.push('\n');
    }
    keys
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// The key in a line, which may be in a comment, with a remark after it.
fn key_of(line: &str) -> Option<&str> {
    line.trim_start_matches(['#', ' ']).split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_hosts_come_after_those_of_this_machine() {
        assert_eq!(with_keys_of("", "a\nb\n"), "a\nb\n");
        assert_eq!(with_keys_of("b", "a\nb\n"), "b\na\n");
        assert_eq!(with_keys_of("a\nb\n", "b\n"), "a\nb\n");
        assert_eq!(with_keys_of("a\n# b\n", "b\n"), "a\n# b\n");
        assert_eq!(with_keys_of("a\n# b leaked\n", "b\n"), "a\n# b leaked\n");
    }

    #[test]
    fn a_key_that_either_has_retired_stays_so() {
        let retired = "a\n# b\n";
        assert_eq!(with_keys_of(retired, retired), retired);
        assert_eq!(with_keys_of("b\n", retired), "# b\na\n");
    }
}
