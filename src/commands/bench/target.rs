//! Finds the services that a load test sends its requests to.

use std::time::Duration;

use loadtest::script::Script;
use support::event::{Reporter, Silence};
use support::http::{Client, Endpoint};
use support::wait::Deadline;

use crate::access::Token;
use crate::cli::{Bench, LoadSource};
use crate::commands::access;
use crate::commands::endpoints::{self, ServiceHost};
use crate::config::{self, Config};
use crate::error::Error;
use crate::health;

/// How long services that run already may take to be ready.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// The hosts of a stack's services, from which requests are sent.
#[derive(Debug)]
pub(super) struct StackHosts {
    pub(super) config: Config,
    pub(super) hosts: Vec<ServiceHost>,
    /// The token that requests carry, if the services need one.
    pub(super) token: Option<Token>,
}

/// Finds the services that the command line names, and has the script send its requests there.
/// Returns their hosts where these are to send the requests, too.
pub(super) async fn find(args: &Bench, script: &mut Script) -> Result<Option<StackHosts>, Error> {
    if args.as_written || !args.url.is_empty() {
        let token = access::given(&args.token)?;
        for url in &args.url {
            access::check_way(&url.endpoint, token.as_ref())?;
            script.direct(&format!("/{}", url.service), &url.endpoint);
        }
        if let Some(token) = token {
            script.authorize(&token);
        }
        return Ok(None);
    }
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    if args.local {
        let endpoints = endpoints::local(args.stack.state_dir.as_deref(), &config).await?;
        direct(script, &config, &endpoints)?;
        if let Some(token) = access::token_for_local(&config, (&args.stack, &args.token))? {
            // Known before the load, whose requests would all fail.
            for (service, endpoint) in config.services.iter().zip(endpoints) {
                let client = Client::local(endpoint, Some(token.clone()));
                let deadline = Deadline::after(READY_TIMEOUT);
                let (name, path) = (service.name.as_str(), &service.health);
                let reporter = Reporter::new(&Silence, name);
                health::wait_ready(name, &client, path, deadline, reporter).await?;
            }
            script.authorize(&token);
        }
        return Ok(None);
    }
    let token = access::token_for_hosts(&config, (&args.stack, &args.token))?;
    if token.is_some() && args.from != LoadSource::Host {
        return Err(Error::Request(
            "the services need an access token, which would cross the network unencrypted: use \
             --from host"
                .into(),
        ));
    }
    let deployed = endpoints::deployed(&config, &args.hosts).await?;
    let endpoints: Vec<_> = deployed.iter().map(|it| it.endpoint.clone()).collect();
    direct(script, &config, &endpoints)?;
    if args.from == LoadSource::Laptop {
        return Ok(None);
    }
    let hosts = endpoints::targets(&config, &args.stack, deployed)?;
    Ok(Some(StackHosts { config, hosts, token }))
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
