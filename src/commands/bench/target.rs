//! Finds the services that a load test sends its requests to.

use std::time::Duration;

use loadtest::script::Script;
use support::event::{NullSink, Reporter};
use support::http::Client;
use support::wait::Deadline;

use crate::access::Token;
use crate::cli::{Bench, LoadSource, PlacementArgs};
use crate::config::Config;
use crate::error::Error;
use crate::health;
use crate::session::{
    Placement, ServiceHost, ServiceLocation, Session, given_token, refuse_unencrypted,
};

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

/// Finds the services that the command line names, and directs the script's requests there.
/// Returns their hosts if requests are sent from these, too.
pub(super) async fn find(args: &Bench, script: &mut Script) -> Result<Option<StackHosts>, Error> {
    if args.as_written || !args.url.is_empty() {
        let token = given_token(&args.token)?;
        for url in &args.url {
            refuse_unencrypted(&url.endpoint, token.as_ref())?;
            script.send_to(&format!("/{}", url.service), &url.endpoint);
        }
        if let Some(token) = token {
            script.authorize(&token);
        }
        return Ok(None);
    }
    let placement = PlacementArgs { local: args.local, hosts: args.hosts.clone() };
    let session = Session::open(&args.stack, &placement)?;
    let located = session.locate().await?;
    direct(script, &session, &located)?;
    let token = session.token(&args.token)?;
    if session.placement == Placement::Local {
        if let Some(token) = token {
            check_token(&located, &token).await?;
            script.authorize(&token);
        }
        return Ok(None);
    }
    if token.is_some() && args.from != LoadSource::Host {
        return Err(Error::Request(
            "the services need an access token, which would cross the network unencrypted: use \
             --from host"
                .into(),
        ));
    }
    if args.from == LoadSource::Laptop {
        return Ok(None);
    }
    let hosts = session.hosts_of(located)?;
    Ok(Some(StackHosts { config: session.config, hosts, token }))
}

/// Checks that the services accept the token, since all requests would fail otherwise.
async fn check_token(located: &[ServiceLocation], token: &Token) -> Result<(), Error> {
    for it in located {
        let client = Client::local(it.endpoint(), Some(token.clone()));
        let (name, health) = (it.service.name.as_str(), &it.service.health);
        let (deadline, reporter) = (Deadline::after(READY_TIMEOUT), Reporter::new(&NullSink, name));
        health::wait_ready(name, &client, health, deadline, reporter).await?;
    }
    Ok(())
}

/// Sends each execution's requests to its service.
fn direct(
    script: &mut Script,
    session: &Session,
    located: &[ServiceLocation],
) -> Result<(), Error> {
    for it in located {
        if session.placement != Placement::Local && !it.service.is_public() {
            let name = &it.service.name;
            return Err(Error::Request(format!(
                "{name} has a `domain` or is bound to its host, and load tests speak plain HTTP to the \
                 services themselves: use --as-written with a script that names other addresses"
            )));
        }
        script.send_to(&it.service.collection(), &it.endpoint());
    }
    let unknown = script.executions.iter().find(|execution| execution.endpoint.is_none());
    unknown.map_or(Ok(()), |execution| {
        let name = &execution.scenario.name;
        Err(Error::Request(format!(
            "the requests of scenario {name} are not all for one service of {}; use --as-written \
             to send them to the addresses in the script",
            session.config.origin
        )))
    })
}
