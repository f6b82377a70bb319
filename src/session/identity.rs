//! How hosts are logged in to.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ec2::Instance;
use ssh::{Identity, Target, Trust};

use super::Session;
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
        let path = self.key_path();
        match &self.config.ssh.key {
            None if !path.exists() => Ok(None),
            _ => Ok(Some(Identity::read(&path)?)),
        }
    }

    /// The same. The stack's own key is created if it does not exist.
    pub(crate) fn ensure_identity(&self) -> Result<Identity, Error> {
        let path = self.key_path();
        Ok(match &self.config.ssh.key {
            Some(_) => Identity::read(&path)?,
            None => Identity::read_or_create(&path)?,
        })
    }

    /// The same for a plan: a key that is not stored stands for the one that `up` will create.
    pub(crate) fn planned_identity(&self) -> Result<Identity, Error> {
        match self.existing_identity()? {
            Some(identity) => Ok(identity),
            None => Ok(Identity::generate()?),
        }
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
