//! Looking inside a deployment: `eventpost logs`, `exec` and `ssh`, all of them over the
//! connection that has checked the host's key.

mod exec;
mod logs;
mod shell;

pub(super) use exec::run as exec;
pub(super) use logs::run as logs;
pub(super) use shell::run as ssh;

use ssh::Host;
use support::event::Silence;

use crate::cli;
use crate::commands::endpoints::{self, ServiceHost};
use crate::commands::site::Site;
use crate::config::{Config, Service};
use crate::error::Error;

/// The service of a name, or what there is instead.
fn named<'a>(config: &'a Config, name: &str) -> Result<&'a Service, Error> {
    config.services.iter().find(|service| service.name.as_str() == name).ok_or_else(|| {
        let known: Vec<_> = config.services.iter().map(|service| service.name.as_str()).collect();
        Error::Request(format!(
            "{} has no service {name}, only {}",
            config.origin,
            known.join(" and ")
        ))
    })
}

/// The host of one service.
async fn host_of(
    config: &Config,
    stack: &cli::Stack,
    arguments: &[cli::HostAddress],
    name: &str,
) -> Result<ServiceHost, Error> {
    let service = named(config, name)?;
    let mut hosts = endpoints::hosts(config, stack, arguments).await?;
    let at = hosts.iter().position(|host| host.service.name == service.name);
    let at = at.ok_or_else(|| Error::NotRunning(format!("{name} has no host")))?;
    Ok(hosts.swap_remove(at))
}

async fn connect(host: &ServiceHost) -> Result<Host, Error> {
    Ok(Site::connect(host, &Silence).await?.host)
}
