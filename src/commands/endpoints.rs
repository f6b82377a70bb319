//! This module owns where the services of a stack answer.

use std::path::Path;

use crate::commands::hosts;
use crate::config::Config;
use crate::error::Error;
use crate::http::Endpoint;
use crate::local::{self, StackFolder};
use crate::provider::ec2::Ec2;

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

/// The services of the stack on its hosts, all of which must be there, in their order.
pub(super) async fn deployed(config: &Config) -> Result<Vec<Endpoint>, Error> {
    let mut addresses = hosts::named(config, &[])?;
    if addresses.is_empty() {
        let ec2 = Ec2::connect(config.region.as_deref()).await?;
        let mut machines = ec2.machines(config.stack.as_str()).await?;
        machines.retain(|machine| machine.is_alive() && machine.serving);
        let known = machines.into_iter().filter_map(|m| Some((m.service, m.address?)));
        addresses = known.collect();
    }
    let mut endpoints = Vec::new();
    for service in &config.services {
        let Some(address) = addresses.get(service.name.as_str()) else {
            let problem = format!("{} has no host: `eventpost up` launches one", service.name);
            return Err(Error::NotRunning(problem));
        };
        endpoints.push(Endpoint::at((*address, service.port).into()));
    }
    Ok(endpoints)
}
