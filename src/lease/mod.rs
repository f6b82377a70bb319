//! The right to change a stack, which one command holds at a time, on whichever machine it
//! runs: a lease with an owner and an expiry. It is renewed while the command works, released
//! when the command ends, and expires by itself if the command crashes.
//!
//! It is kept where every command that may change the stack looks: in the AWS account, or on
//! the hosts themselves where there is no account.

mod hosts;

use std::time::Duration;

use ec2::Ec2;
use ssh::Host;
use support::digest::sha256;
use support::event::Reporter;

use crate::docker;
use crate::error::Error;
use crate::signals::Signals;

pub use support::lease::{Lease, SKEW};
use support::wait::{in_words, unix_seconds};

/// For how long it holds unless it is renewed, in seconds: a command that lost its
/// connection for less goes on.
const TERM: u64 = 120;
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(30);

/// What a command of this process wants to have.
fn wanted(purpose: &str) -> Lease {
    let owner = format!("{} (pid {})", docker::who(), std::process::id());
    let since = unix_seconds();
    let id = sha256(format!("{owner} {since}"));
    Lease { id, owner, purpose: purpose.into(), since, until: since + TERM }
}

/// Where a stack's lease is kept.
#[derive(Debug)]
pub enum Keeper {
    /// In the account that its hosts are in.
    Account {
        /// The account's region.
        ec2: Ec2,
        /// The stack.
        stack: String,
    },
    /// On the hosts, on all of them.
    Hosts(Vec<Host>),
}

impl Keeper {
    /// Does work while the lease is held; others are refused meanwhile, and work is
    /// refused where others have it. `work` sees to signals itself.
    pub(crate) async fn hold<T>(
        &self,
        purpose: &str,
        signals: &mut Signals,
        reporter: Reporter<'_>,
        work: impl AsyncFnOnce(&mut Signals) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let wanted = wanted(purpose);
        let taken = signals.race(self.take(&wanted, reporter)).await;
        let taken = taken.map_err(|caught| caught.into_error("nothing was changed")).flatten();
        let own = match taken {
            Ok(own) => own,
            Err(error) => {
                // It may have been given though the answer that says so never came. Where even
                // this fails, it runs out.
                let _ = self.give_back(&wanted).await;
                return Err(error);
            }
        };
        let outcome = tokio::select! {
            done = work(signals) => done,
            lost = self.keep(&own) => Err(lost),
        };
        // However it ended, nobody is to wait for a lease that nobody uses.
        if let Err(error) = self.end(&own).await {
            reporter.warning(format!("the lease stays until it runs out, in {TERM} s: {error}"));
        }
        outcome
    }

    async fn take(&self, wanted: &Lease, reporter: Reporter<'_>) -> Result<Lease, Error> {
        if let Some(own) = self.try_take(wanted).await? {
            return Ok(own);
        }
        for found in self.leases().await? {
            if !found.has_run_out() {
                return Err(held(&found));
            }
            let Lease { owner, purpose, .. } = &found;
            reporter.warning(format!("{owner} left its lease behind (`{purpose}`): it is broken"));
            self.end(&found).await?;
        }
        if let Some(own) = self.try_take(wanted).await? {
            return Ok(own);
        }
        let found = self.leases().await?;
        Err(found.first().map_or_else(
            || Error::Lease("others want to change this stack too: run the command again".into()),
            held,
        ))
    }

    async fn try_take(&self, wanted: &Lease) -> Result<Option<Lease>, Error> {
        let id = match self {
            Self::Account { ec2, stack } => ec2.take_lease(stack, wanted).await?,
            Self::Hosts(all) => hosts::take(all, wanted, TERM).await?.then(|| wanted.id.clone()),
        };
        Ok(id.map(|id| Lease { id, ..wanted.clone() }))
    }

    /// The leases that there are: of an account one or none, of hosts one each at the most.
    pub async fn leases(&self) -> Result<Vec<Lease>, Error> {
        match self {
            Self::Account { ec2, stack } => Ok(ec2.lease(stack).await?.into_iter().collect()),
            Self::Hosts(all) => hosts::leases(all).await,
        }
    }

    /// Takes a lease from whoever has it. One that is gone is no error.
    pub async fn end(&self, lease: &Lease) -> Result<(), Error> {
        match self {
            Self::Account { ec2, .. } => Ok(ec2.end_lease(&lease.id).await?),
            Self::Hosts(all) => hosts::end(all, lease).await,
        }
    }

    /// Ends with the loss of the lease, and not before.
    async fn keep(&self, own: &Lease) -> Error {
        let mut until = own.until;
        loop {
            tokio::time::sleep(RENEWAL).await;
            match self.renew(own).await {
                Ok(true) => until = unix_seconds() + TERM,
                Ok(false) => {
                    return Error::Lease(
                        "somebody has taken this command's lease (`eventpost unlock`): it stopped \
                         where it was; `eventpost status` shows what is there"
                            .into(),
                    );
                }
                // The next round may do better, as long as there is time.
                Err(_) if unix_seconds() < until => {}
                Err(error) => return error,
            }
        }
    }

    async fn renew(&self, own: &Lease) -> Result<bool, Error> {
        match self {
            Self::Account { ec2, stack } => {
                let found = ec2.lease(stack).await?.filter(|found| found.is_of(own));
                let Some(found) = found else { return Ok(false) };
                ec2.renew_lease(&found.id, unix_seconds() + TERM).await?;
                Ok(true)
            }
            Self::Hosts(all) => hosts::renew(all, own, TERM).await,
        }
    }

    async fn give_back(&self, own: &Lease) -> Result<(), Error> {
        for found in self.leases().await?.iter().filter(|found| found.is_of(own)) {
            self.end(found).await?;
        }
        Ok(())
    }
}

/// The error that somebody else's lease is.
fn held(lease: &Lease) -> Error {
    let now = unix_seconds();
    let since = in_words(Duration::from_secs(now.saturating_sub(lease.since)));
    let left = in_words(Duration::from_secs((lease.until + SKEW).saturating_sub(now)));
    Error::Lease(format!(
        "{} changes this stack (`{}`, for {since}): wait for its end. If it crashed, its lease \
         runs out in {left}, and `eventpost unlock` breaks it before",
        lease.owner, lease.purpose
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_runs_out_when_all_clocks_agree() {
        let mut lease = wanted("up");
        assert!(!lease.has_run_out());
        lease.until = unix_seconds() - SKEW;
        assert!(!lease.has_run_out());
        lease.until -= 2;
        assert!(lease.has_run_out());
    }

    #[test]
    fn who_holds_it_is_told_with_a_way_out() {
        let error = held(&Lease { owner: "me@here (pid 7)".into(), ..wanted("deploy") });
        let text = error.to_string();
        assert!(text.starts_with("me@here (pid 7) changes this stack (`deploy`, for "), "{text}");
        assert!(text.contains("`eventpost unlock`"), "{text}");
    }
}
