//! Finds the services that a load test sends its requests to.

use std::time::Duration;

use loadtest::script::Script;
use support::http::{Client, Endpoint};
use support::wait::Deadline;

use crate::access::Token;
use crate::cli::{Bench, From};
use crate::commands::access;
use crate::commands::endpoints::{self, ServiceHost};
use crate::config::{self, Config};
use crate::error::Error;
use crate::health;

/// The services are said to run already.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// Where a load goes.
#[derive(Debug)]
pub(super) enum Targets {
    /// To addresses alone.
    Addresses,
    /// To services on hosts that can be logged in to, with a token where they want one.
    Hosts(Vec<ServiceHost>, Option<Token>),
}

/// Finds the services that the command line means, and sends the requests there.
pub(super) async fn find(args: &Bench, script: &mut Script) -> Result<Targets, Error> {
    if args.as_written || !args.url.is_empty() {
        let token = access::given(&args.token)?;
        for url in &args.url {
            access::check_way(&url.endpoint, token.as_ref())?;
            script.direct(&format!("/{}", url.service), &url.endpoint);
        }
        if let Some(token) = token {
            script.authorize(&token);
        }
        return Ok(Targets::Addresses);
    }
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    if args.local {
        let endpoints = endpoints::local(args.stack.state_dir.as_deref(), &config).await?;
        direct(script, &config, &endpoints)?;
        if let Some(token) = access::token_for_local(&config, (&args.stack, &args.token))? {
            // Known before the load, whose requests would all fail.
            for (service, endpoint) in config.services.iter().zip(endpoints) {
                let client = Client::local(endpoint, Some(token.clone()));
                let deadline = Deadline::after(READY_LIMIT);
                health::wait_ready(service.name.as_str(), &client, &service.health, deadline)
                    .await?;
            }
            script.authorize(&token);
        }
        return Ok(Targets::Addresses);
    }
    let token = access::token_for_hosts(&config, (&args.stack, &args.token))?;
    if token.is_some() && args.from != From::Host {
        return Err(Error::Request(
            "the services need an access token, which would cross the network unencrypted: use \
             --from host"
                .into(),
        ));
    }
    let deployed = endpoints::deployed(&config, &args.hosts).await?;
    let endpoints: Vec<_> = deployed.iter().map(|it| it.endpoint.clone()).collect();
    direct(script, &config, &endpoints)?;
    if args.from == From::Laptop {
        return Ok(Targets::Addresses);
    }
    let hosts = endpoints::targets(&config, &args.stack, deployed)?;
    Ok(Targets::Hosts(hosts, token))
}

fn direct(script: &mut Script, config: &Config, endpoints: &[Endpoint]) -> Result<(), Error> {
    for (service, endpoint) in config.services.iter().zip(endpoints) {
        script.direct(&service.collection(), endpoint);
    }
    let lost = script.executions.iter().find(|execution| execution.endpoint.is_none());
    lost.map_or(Ok(()), |execution| {
        let name = &execution.scenario.name;
        Err(Error::Request(format!(
            "the requests of scenario {name} are not all for one of {}'s services; --as-written \
             sends them where the script says",
            config.origin
        )))
    })
}
