//! How hosts are logged in to.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ec2::Instance;
use ssh::{Identity, Target, Trust};

use super::{Session, passphrase};
use crate::config::{Config, expand_home};
use crate::error::Error;

const SSH_PORT: u16 = 22;

impl Session {
    /// The key that logs in: the one that the file names, else the stack's own. Fails if there
    /// is none: a command that only looks at a stack creates nothing.
    pub(crate) fn identity(&self) -> Result<Identity, Error> {
        let existing = self.existing_identity()?;
        existing.ok_or_else(|| Error::NoKey { path: self.key_path() })
    }

    /// The same, or `None` if the stack has no key yet.
    pub(crate) fn existing_identity(&self) -> Result<Option<Identity>, Error> {
        if let Some(known) = self.identity.get() {
            return Ok(Some(known.clone()));
        }
        let path = self.key_path();
        if self.config.ssh.key.is_none() && !path.exists() {
            return Ok(None);
        }
        let identity = Identity::read(&path, &passphrase::ask)?;
        Ok(Some(self.identity.get_or_init(|| identity).clone()))
    }

    /// The same, or a key that `up` will use if there is none yet. It is not stored.
    pub(crate) fn planned_identity(&self) -> Result<Identity, Error> {
        match self.existing_identity()? {
            Some(identity) => Ok(identity),
            None => Ok(Identity::generate()?),
        }
    }

    /// Stores the planned key, unless it exists.
    pub(crate) fn store_identity(&self, identity: &Identity) -> Result<(), Error> {
        if self.existing_identity()?.is_none() {
            identity.store(&self.key_path())?;
        }
        Ok(())
    }

    /// The file of that key.
    pub(crate) fn key_path(&self) -> PathBuf {
        let configured = self.config.ssh.key.as_deref();
        configured.map_or_else(|| self.folder.key(), expand_home)
    }
}

/// An instance, which proves itself by the host keys in its tags. `None` if it has no
/// address.
pub(crate) fn instance_target(
    config: &Config,
    instance: &Instance,
    identity: &Identity,
) -> Option<Target> {
    Some(Target {
        name: format!("{} ({})", instance.service, instance.id),
        address: SocketAddr::new(instance.address?, SSH_PORT),
        user: config.ssh.user.clone(),
        identity: identity.clone(),
        trust: Trust::Keys(instance.host_keys.clone()),
    })
}

/// An existing host, whose key must be in this user's `known_hosts`.
pub(crate) fn existing_target(
    config: &Config,
    service: &str,
    address: IpAddr,
    identity: &Identity,
) -> Target {
    Target {
        name: service.into(),
        address: SocketAddr::new(address, SSH_PORT),
        user: config.ssh.user.clone(),
        identity: identity.clone(),
        trust: Trust::KnownHosts(expand_home(Path::new("~/.ssh/known_hosts"))),
    }
}
