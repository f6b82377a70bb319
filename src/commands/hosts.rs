//! Tells the commands that use hosts which hosts there are and how to log in to them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ssh::{Identity, Target, Trust};
use support::machine::Machine;

use crate::cli::HostAddress;
use crate::config::{Config, Service, at_home};
use crate::error::Error;
use crate::local::StackFolder;

const SSH_PORT: u16 = 22;

/// Machines that exist, by service: from the command line, else from the file. Empty
/// means EC2.
pub(super) fn named(
    config: &Config,
    arguments: &[HostAddress],
) -> Result<BTreeMap<String, IpAddr>, Error> {
    let mut addresses = config.hosts.clone();
    if !arguments.is_empty() {
        let pairs = arguments.iter().map(|host| (host.service.clone(), host.address.clone()));
        addresses = pairs.collect();
    }
    if addresses.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut hosts = BTreeMap::new();
    for service in &config.services {
        let name = service.name.as_str();
        let Some(address) = addresses.remove(name) else {
            return Err(Error::Request(format!("hosts: there is no address for {name}")));
        };
        let parsed = address
            .parse()
            .map_err(|_| Error::Request(format!("hosts: {name}={address}: give an IP address")))?;
        hosts.insert(name.to_owned(), parsed);
    }
    match addresses.into_keys().next() {
        Some(unknown) => {
            Err(Error::Request(format!("hosts: {} has no service {unknown}", config.origin)))
        }
        None => Ok(hosts),
    }
}

/// The key that logs in: the one that the file names, or the stack's own.
pub(super) fn identity(config: &Config, stack: &StackFolder) -> Result<Identity, Error> {
    Ok(match &config.ssh.key {
        Some(_) => Identity::read(&key_path(config, stack))?,
        None => Identity::read_or_make(&key_path(config, stack))?,
    })
}

/// Where that key is.
pub(super) fn key_path(config: &Config, stack: &StackFolder) -> PathBuf {
    config.ssh.key.as_ref().map_or_else(|| stack.key(), |path| at_home(path))
}

/// A machine of EC2, which proves itself by the keys in its tags.
pub(super) fn ec2_target(
    config: &Config,
    machine: &Machine,
    identity: &Identity,
) -> Option<Target> {
    Some(Target {
        name: format!("{} ({})", machine.service, machine.id),
        address: SocketAddr::new(machine.address?, SSH_PORT),
        user: config.ssh.user.clone(),
        identity: identity.clone(),
        trust: Trust::Keys(machine.host_keys.clone()),
    })
}

/// A machine that exists, which this user must know already.
pub(super) fn known_target(
    config: &Config,
    service: &Service,
    address: IpAddr,
    identity: &Identity,
) -> Target {
    Target {
        name: service.name.to_string(),
        address: SocketAddr::new(address, SSH_PORT),
        user: config.ssh.user.clone(),
        identity: identity.clone(),
        trust: Trust::KnownHosts(at_home(Path::new("~/.ssh/known_hosts"))),
    }
}
