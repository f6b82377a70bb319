//! The lock of a stack: one command at a time may change it, on whichever machine it runs. A
//! lock has an owner and an expiry. It is renewed while the command works, released when the
//! command ends, and expires by itself if the command crashes.
//!
//! It is kept where every command that may change the stack looks: in the AWS account, or on
//! the hosts themselves if there is no account.

mod on_hosts;

use std::time::Duration;

use ec2::Ec2;
use ssh::Host;
use support::digest::sha256;
use support::event::Reporter;
use support::wait::{in_words, unix_seconds};

use crate::docker;
use crate::error::Error;
use crate::signals::Signals;

pub use support::lock::{Lock, SKEW};

/// How long a lock lasts unless it is renewed, in seconds: a command that loses its
/// connection for less goes on.
const TERM: u64 = 120;
const RENEWAL_INTERVAL: Duration = Duration::from_secs(30);

/// The lock that a command of this process asks for.
fn request(purpose: &str) -> Lock {
    let owner = format!("{} (pid {})", docker::operator(), std::process::id());
    let since = unix_seconds();
    let id = sha256(format!("{owner} {since}"));
    Lock { id, owner, purpose: purpose.into(), since, expires: since + TERM }
}

/// Where a stack's lock is kept.
#[derive(Debug)]
pub enum LockStore {
    /// In the account of its hosts.
    Account {
        /// The account's region.
        ec2: Ec2,
        /// The stack.
        stack: String,
    },
    /// On every one of its hosts.
    Hosts(Vec<Host>),
}

impl LockStore {
    /// Does work while holding the lock. Fails if another command holds it. `work` handles
    /// signals itself.
    pub(crate) async fn hold<T>(
        &self,
        purpose: &str,
        signals: &Signals,
        reporter: Reporter<'_>,
        work: impl AsyncFnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let requested = request(purpose);
        let acquired = signals.race(self.acquire(&requested, reporter)).await;
        let acquired =
            acquired.map_err(|caught| caught.into_error("nothing was changed")).flatten();
        let own = match acquired {
            Ok(own) => own,
            Err(error) => {
                // The lock may have been created although the answer was lost. If even this
                // fails, it expires.
                let _ = self.release_all_of(&requested).await;
                return Err(error);
            }
        };
        let outcome = tokio::select! {
            done = work() => done,
            lost = self.keep_renewing(&own) => Err(lost),
        };
        // However the work ended, nobody should have to wait for a lock that nobody uses.
        if let Err(error) = self.release(&own).await {
            reporter.warning(format!("the lock stays until it expires, in {TERM} s: {error}"));
        }
        outcome
    }

    async fn acquire(&self, requested: &Lock, reporter: Reporter<'_>) -> Result<Lock, Error> {
        if let Some(own) = self.try_acquire(requested).await? {
            return Ok(own);
        }
        for lock in self.locks().await? {
            if !lock.has_expired() {
                return Err(held(&lock));
            }
            let Lock { owner, purpose, .. } = &lock;
            reporter.warning(format!("broke the expired lock of {owner} (`{purpose}`)"));
            self.release(&lock).await?;
        }
        if let Some(own) = self.try_acquire(requested).await? {
            return Ok(own);
        }
        let locks = self.locks().await?;
        Err(locks.first().map_or_else(
            || Error::Locked("another command is locking this stack: run the command again".into()),
            held,
        ))
    }

    async fn try_acquire(&self, requested: &Lock) -> Result<Option<Lock>, Error> {
        let id = match self {
            Self::Account { ec2, stack } => ec2.acquire_lock(stack, requested).await?,
            Self::Hosts(hosts) => {
                on_hosts::acquire(hosts, requested, TERM).await?.then(|| requested.id.clone())
            }
        };
        Ok(id.map(|id| Lock { id, ..requested.clone() }))
    }

    /// The locks that are held: at most one in an account, at most one on each host.
    pub async fn locks(&self) -> Result<Vec<Lock>, Error> {
        match self {
            Self::Account { ec2, stack } => Ok(ec2.lock(stack).await?.into_iter().collect()),
            Self::Hosts(hosts) => on_hosts::locks(hosts).await,
        }
    }

    /// Releases a lock, whoever holds it. Succeeds if it is gone already.
    pub async fn release(&self, lock: &Lock) -> Result<(), Error> {
        match self {
            Self::Account { ec2, .. } => Ok(ec2.release_lock(&lock.id).await?),
            Self::Hosts(hosts) => on_hosts::release(hosts, lock).await,
        }
    }

    /// Renews the lock until it is lost; returns why it was.
    async fn keep_renewing(&self, own: &Lock) -> Error {
        let mut expires = own.expires;
        loop {
            tokio::time::sleep(RENEWAL_INTERVAL).await;
            match self.renew(own).await {
                Ok(true) => expires = unix_seconds() + TERM,
                Ok(false) => {
                    return Error::Locked(
                        "somebody broke this command's lock (`eventpost unlock`), so it stopped \
                         where it was; `eventpost status` shows the state of the stack"
                            .into(),
                    );
                }
                // The next round may succeed, as long as there is time.
                Err(_) if unix_seconds() < expires => {}
                Err(error) => return error,
            }
        }
    }

    async fn renew(&self, own: &Lock) -> Result<bool, Error> {
        match self {
            Self::Account { ec2, stack } => {
                let lock = ec2.lock(stack).await?.filter(|lock| lock.is_same(own));
                let Some(lock) = lock else { return Ok(false) };
                ec2.renew_lock(&lock.id, unix_seconds() + TERM).await?;
                Ok(true)
            }
            Self::Hosts(hosts) => on_hosts::renew(hosts, own, TERM).await,
        }
    }

    async fn release_all_of(&self, requested: &Lock) -> Result<(), Error> {
        for lock in self.locks().await?.iter().filter(|lock| lock.is_same(requested)) {
            self.release(lock).await?;
        }
        Ok(())
    }
}

/// The error of a command that finds the stack locked.
fn held(lock: &Lock) -> Error {
    let now = unix_seconds();
    let since = in_words(Duration::from_secs(now.saturating_sub(lock.since)));
    let left = in_words(Duration::from_secs((lock.expires + SKEW).saturating_sub(now)));
    Error::Locked(format!(
        "{} is changing this stack (`{}`, for {since}): wait until it is done. If it crashed, its \
         lock expires in {left}, or break it with `eventpost unlock`",
        lock.owner, lock.purpose
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_expired_when_all_clocks_agree() {
        let mut lock = request("up");
        assert!(!lock.has_expired());
        lock.expires = unix_seconds() - SKEW;
        assert!(!lock.has_expired());
        lock.expires -= 2;
        assert!(lock.has_expired());
    }

    #[test]
    fn the_error_names_the_owner_and_a_way_out() {
        let error = held(&Lock { owner: "me@here (pid 7)".into(), ..request("deploy") });
        let text = error.to_string();
        assert!(
            text.starts_with("me@here (pid 7) is changing this stack (`deploy`, for "),
            "{text}"
        );
        assert!(text.contains("`eventpost unlock`"), "{text}");
    }
}
