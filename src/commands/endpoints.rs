//! Finds the addresses at which the services of a stack answer, and how to log in to their
//! hosts.

use std::net::IpAddr;
use std::path::Path;

use ec2::Ec2;
use ssh::Target;
use support::http::Endpoint;
use support::machine::Machine;

use crate::cli::{self, HostAddress};
use crate::commands::hosts;
use crate::config::{Config, Placement, Service};
use crate::error::Error;
use crate::local::{self, StackFolder};

/// The services of the local stack, all of which must run, in their order.
pub(super) async fn local(
    state_dir: Option<&Path>,
    config: &Config,
) -> Result<Vec<Endpoint>, Error> {
    let stack = StackFolder::new(state_dir, &config.stack)?;
    let mut endpoints = Vec::new();
    for service in &config.services {
        let Some(holder) = local::find(&stack.service(service.name.as_str())).await? else {
            let problem =
                format!("{} does not run: `eventpost up --local` starts it", service.name);
            return Err(Error::NotRunning(problem));
        };
        endpoints.push(Endpoint::at(holder.address));
    }
    Ok(endpoints)
}

/// A service on a host.
#[derive(Debug)]
pub(super) struct Deployed {
    /// Where it answers.
    pub(super) endpoint: Endpoint,
    /// Its host's address.
    pub(super) address: IpAddr,
    /// Its host, where that is one of EC2's.
    pub(super) machine: Option<Machine>,
}

/// The services of the stack on its hosts, all of which must be there, in their order:
/// on those that `arguments` or the file name, else on EC2.
pub(super) async fn deployed(
    config: &Config,
    arguments: &[HostAddress],
) -> Result<Vec<Deployed>, Error> {
    let addresses = hosts::named(config, arguments)?;
    let mut machines = Vec::new();
    if addresses.is_empty() {
        let ec2 = Ec2::connect(config.region.as_deref()).await?;
        machines = ec2.machines(config.stack.as_str()).await?;
        machines.retain(|machine| machine.is_alive() && machine.serving);
    }
    let mut deployed = Vec::new();
    for service in &config.services {
        let name = service.name.as_str();
        let at = machines.iter().position(|it| it.service == name && it.address.is_some());
        let machine = at.map(|at| machines.swap_remove(at));
        let own = machine.as_ref().and_then(|machine| machine.address);
        let Some(address) = own.or_else(|| addresses.get(name).copied()) else {
            let problem = format!("{name} has no host: `eventpost up` launches one");
            return Err(Error::NotRunning(problem));
        };
        let endpoint = Endpoint::at((address, service.port).into());
        deployed.push(Deployed { endpoint, address, machine });
    }
    Ok(deployed)
}

/// Where browsers find a service on a host, the better one first.
pub(super) fn urls(service: &Service, address: IpAddr, dns: Option<&str>) -> Vec<String> {
    let address = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let url = |host: &str| match service.port {
        80 => format!("http://{host}"),
        port => format!("http://{host}:{port}"),
    };
    dns.into_iter().chain([address.as_str()]).map(url).collect()
}

/// A service, its host, and where it answers.
#[derive(Debug)]
pub(super) struct ServiceHost {
    pub(super) service: Service,
    pub(super) target: Target,
    pub(super) endpoint: Endpoint,
    /// The host's id, where it is one of EC2's.
    pub(super) id: Option<String>,
}

/// The hosts of all services, which can be logged in to.
pub(super) async fn hosts(
    config: &Config,
    stack: &cli::Stack,
    arguments: &[HostAddress],
) -> Result<Vec<ServiceHost>, Error> {
    targets(config, stack, deployed(config, arguments).await?)
}

/// How the hosts of services that were found are logged in to.
pub(super) fn targets(
    config: &Config,
    stack: &cli::Stack,
    deployed: Vec<Deployed>,
) -> Result<Vec<ServiceHost>, Error> {
    config.check_for_hosts()?;
    let folder = StackFolder::new(stack.state_dir.as_deref(), &config.stack)?;
    let identity = hosts::identity(config, &folder)?;
    let places = config.services.iter().zip(&deployed).map(|(service, it)| {
        let dns = it.machine.as_ref().and_then(|machine| machine.dns.as_deref());
        (service.name.to_string(), urls(service, it.address, dns))
    });
    let config = &config.placed(&places.collect(), Placement::Hosts);
    let host = |(service, it): (&Service, Deployed)| {
        let target = match &it.machine {
            Some(machine) => hosts::ec2_target(config, machine, &identity),
            None => Some(hosts::known_target(config, service, it.address, &identity)),
        };
        // A machine without an address does not serve.
        let (service, id) = (service.clone(), it.machine.map(|machine| machine.id));
        Some(ServiceHost { service, target: target?, endpoint: it.endpoint, id })
    };
    Ok(config.services.iter().zip(deployed).filter_map(host).collect())
}
