//! Connects to a host, and retries until it accepts the login.

use std::cell::OnceCell;
use std::net::SocketAddr;
use std::time::Duration;

use support::event::Reporter;
use support::wait::{Backoff, Deadline, Failure, retry};

use super::known_hosts;
use super::ssh::{ConnectError, Ssh};
use super::{Host, HostError, Identity, Trust};

/// A host that boots refuses logins until it has installed the user's key: from the first refusal on,
/// it has this long. A host that runs already means what it says, and counts refusals.
const DENIED_TIMEOUT: Duration = Duration::from_secs(30);

/// A host to connect to.
#[derive(Debug, Clone)]
pub struct Target {
    /// What errors call it.
    pub name: String,
    /// Where its SSH server listens.
    pub address: SocketAddr,
    /// The user to log in.
    pub user: String,
    /// The key to log in with.
    pub identity: Identity,
    /// How it proves its identity.
    pub trust: Trust,
}

/// Connects, and retries until it succeeds, another host answers at the address, or the
/// deadline has passed.
pub async fn connect(
    target: &Target,
    deadline: Deadline,
    reporter: Reporter<'_>,
) -> Result<Host, HostError> {
    let grace = match target.trust {
        Trust::Keys(_) => DENIED_TIMEOUT,
        Trust::KnownHosts(_) => Duration::ZERO,
    };
    let first_refusal = OnceCell::new();
    let is_refused = || {
        let end = first_refusal.get_or_init(|| Deadline::after(grace.min(deadline.left())));
        end.has_passed()
    };
    let backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    let connected = retry("SSH", deadline, backoff, reporter, async || {
        attempt(target).await.map_err(|error| match error {
            ConnectError::WrongHostKey(found) => Failure::Permanent(wrong_key(target, found)),
            ConnectError::RevokedHostKey(found) => {
                let (host, address) = (target.name.clone(), target.address.to_string());
                Failure::Permanent(HostError::RevokedHostKey { host, address, found })
            }
            ConnectError::Denied(cause) if is_refused() => {
                let Target { name: host, address, user, .. } = target.clone();
                let address = address.to_string();
                Failure::Permanent(HostError::Denied { host, address, user, cause })
            }
            ConnectError::Denied(reason) | ConnectError::Retryable(reason) => {
                Failure::Transient(reason)
            }
        })
    });
    match connected.await {
        Ok(ssh) => Ok(Host::new(&target.name, ssh)),
        Err(Failure::Permanent(error)) => Err(error),
        Err(Failure::Transient(last)) => Err(HostError::Unreachable {
            host: target.name.clone(),
            address: target.address.to_string(),
            seconds: deadline.timeout().as_secs(),
            last,
        }),
    }
}

async fn attempt(target: &Target) -> Result<Ssh, ConnectError> {
    let target = target.clone();
    let connect =
        move || Ssh::connect(target.address, &target.user, &target.identity, &target.trust);
    tokio::task::spawn_blocking(connect)
        .await
        .unwrap_or_else(|error| Err(ConnectError::Retryable(error.to_string())))
}

fn wrong_key(target: &Target, found: String) -> HostError {
    let advice = match target.trust {
        Trust::Keys(_) => {
            "Another machine may answer at this address, or intercept the connection: check the \
             network, then run the command again"
        }
        Trust::KnownHosts(_) => {
            "If it is the right host, connect with ssh once, compare the fingerprint, and accept it"
        }
    };
    let advice = match &target.trust {
        Trust::KnownHosts(file) => match known_hosts::broken_line(file) {
            Some(line) => format!("{advice}. Line {line} of {} is not valid", file.display()),
            None => advice.into(),
        },
        Trust::Keys(_) => advice.into(),
    };
    let (host, address) = (target.name.clone(), target.address.to_string());
    HostError::WrongHostKey { host, address, found, advice }
}
