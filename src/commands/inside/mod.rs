//! Looking inside a deployment: `eventpost logs`, `exec` and `ssh`, all of them over the
//! connection that has checked the host's key.

mod exec;
mod logs;
mod ssh;

use std::io::Write;
use std::time::Duration;

pub(super) use exec::run as exec;
pub(super) use logs::run as logs;
pub(super) use ssh::run as ssh;

use crate::cli;
use crate::commands::endpoints::{self, ServiceHost};
use crate::config::{Config, Service};
use crate::error::Error;
use crate::event::{Reporter, Silence};
use crate::host::{self, Host};
use crate::wait::Deadline;

/// A host that is up answers at once.
const SSH_LIMIT: Duration = Duration::from_secs(30);

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

/// The hosts of all services, in their order.
async fn hosts(
    config: &Config,
    stack: &cli::Stack,
    arguments: &[cli::HostAddress],
) -> Result<Vec<ServiceHost>, Error> {
    let deployed = endpoints::deployed(config, arguments).await?;
    endpoints::hosts(config, stack, &deployed)
}

/// The host of one service.
async fn host_of(
    config: &Config,
    stack: &cli::Stack,
    arguments: &[cli::HostAddress],
    name: &str,
) -> Result<ServiceHost, Error> {
    let service = named(config, name)?;
    let mut hosts = hosts(config, stack, arguments).await?;
    let at = hosts.iter().position(|host| host.service.name == service.name);
    let at = at.ok_or_else(|| Error::NotRunning(format!("{name} has no host")))?;
    Ok(hosts.swap_remove(at))
}

async fn connect(host: &ServiceHost) -> Result<Host, Error> {
    let reporter = Reporter::new(&Silence, "");
    Ok(host::connect(&host.target, Deadline::after(SSH_LIMIT), reporter).await?)
}

/// Writes what a command on a host printed. A reader that has seen enough, like `head`, is
/// no error.
fn pass_on(bytes: &[u8], to: &mut impl Write) {
    let _ = to.write_all(bytes).and_then(|()| to.flush());
}
