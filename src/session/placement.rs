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
        let hosts = if args.hosts.is_empty() { config.hosts.clone() } else { hosts(&args.hosts) };
        if hosts.is_empty() {
            return Ok(Self::Ec2);
        }
        let has = |name: &String| config.services.iter().any(|it| it.name.as_str() == *name);
        if let Some(unknown) = hosts.keys().find(|name| !has(name)) {
            let problem = format!("hosts: {} has no service {unknown}", config.origin);
            return Err(Error::Request(problem));
        }
        match config.services.iter().find(|it| !hosts.contains_key(it.name.as_str())) {
            Some(missing) => {
                let problem = format!("hosts: there is no address for {}", missing.name);
                Err(Error::Request(problem))
            }
            None => Ok(Self::Hosts(hosts)),
        }
    }

    /// Who may use the services there.
    pub(crate) fn access(&self, config: &Config) -> Access {
        match self {
            Self::Local => config.local_access(),
            Self::Hosts(_) | Self::Ec2 => config.host_access(),
        }
    }
}

fn hosts(arguments: &[HostAddress]) -> BTreeMap<String, IpAddr> {
    arguments.iter().map(|host| (host.service.clone(), host.address)).collect()
}
