//! Where a stack lives.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::cli::{HostAddress, PlacementArgs};
use crate::config::{Access, Config};
use crate::error::Error;

/// Where a stack lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placement {
    /// On this machine, as processes.
    Local,
    /// On existing hosts: the address of each service's host.
    Hosts(BTreeMap<String, IpAddr>),
    /// On instances of EC2.
    Ec2,
}

impl Placement {
    /// The placement that the command line asks for, else the one of the file.
    pub(super) fn resolve(args: &PlacementArgs, config: &Config) -> Result<Self, Error> {
        if args.local {
            return Ok(Self::Local);
        }
        if !args.hosts.is_empty() {
            return Ok(Self::Hosts(named_hosts(&args.hosts, config)?));
        }
        // The file's own hosts were checked when it was read.
        Ok(if config.hosts.is_empty() { Self::Ec2 } else { Self::Hosts(config.hosts.clone()) })
    }

    /// Who may use the services there.
    pub(crate) fn access(&self, config: &Config) -> Access {
        match self {
            Self::Local => config.local_access(),
            Self::Hosts(_) | Self::Ec2 => config.host_access(),
        }
    }
}

/// The hosts of `--hosts`: one for each service.
fn named_hosts(
    arguments: &[HostAddress],
    config: &Config,
) -> Result<BTreeMap<String, IpAddr>, Error> {
    let problem = |problem| Err(Error::Request(format!("--hosts: {problem}")));
    let mut hosts = BTreeMap::new();
    for HostAddress { service, address } in arguments {
        if hosts.insert(service.clone(), *address).is_some() {
            return problem(format!("there are two addresses for {service}"));
        }
    }
    let has = |name: &String| config.services.iter().any(|it| it.name.as_str() == *name);
    if let Some(unknown) = hosts.keys().find(|name| !has(name)) {
        return problem(format!("{} has no service {unknown}", config.origin));
    }
    match config.services.iter().find(|it| !hosts.contains_key(it.name.as_str())) {
        Some(missing) => problem(format!("there is no address for {}", missing.name)),
        None => Ok(hosts),
    }
}
