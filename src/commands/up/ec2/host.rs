//! Brings one host up, from nothing or from where an earlier run left it, until its service is
//! ready.

use std::sync::PoisonError;

use ec2::{Ec2, Launch, Wanted};
use ssh::{Command, Host, Identity};
use support::event::Reporter;
use support::machine::Machine;
use tokio::sync::watch;

use super::Work;
use crate::commands::access::Grants;
use crate::commands::up::row::Row;
use crate::commands::{endpoints, hosts};
use crate::config::{Placement, Places, Service};
use crate::deploy::{self, Begin, Making, Site, Stopwatch};
use crate::error::Error;
use crate::fixtures::Fixtures;
use crate::health::Ready;

/// What the hosts of a run share.
pub(super) struct Run<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) launch: Launch,
    pub(super) grants: &'a Grants,
    /// Where the services will be found, as far as that is known.
    pub(super) places: watch::Sender<Places>,
}

/// A service that is ready on its host.
pub(super) struct Brought {
    pub(super) service: Service,
    pub(super) machine: Machine,
    pub(super) host: Host,
    pub(super) ready: Ready,
    pub(super) watch: Stopwatch,
}

impl Brought {
    pub(super) fn into_row(self) -> Row {
        let address = self.machine.address.map(|address| address.to_string()).unwrap_or_default();
        Row {
            service: self.service.name.to_string(),
            host: format!("{} {address}", self.machine.id),
            url: self.url(),
            steps: self.watch.steps(),
        }
    }

    /// Where others find it.
    pub(super) fn url(&self) -> String {
        let (path, port) = (self.service.collection(), self.service.port);
        // The name is what others use; the address is what this machine has just tried.
        match &self.machine.dns {
            Some(name) if port == 80 => format!("http://{name}{path}"),
            Some(name) => format!("http://{name}:{port}{path}"),
            None => self.ready.endpoint().url(&path),
        }
    }
}

/// Brings one service from nothing, or from where it is, to where it is ready.
pub(super) async fn bring_up<'a>(
    run: &Run<'_>,
    service: &'a Service,
    fixtures: &'a Fixtures,
    artifact: Making<'a>,
) -> Result<Brought, Error> {
    let Work { args, config, ec2, found, plan, display, .. } = run.work;
    let reporter = Reporter::new(*display, service.name.as_str());
    let mut watch = Stopwatch::start();
    let work = async {
        let machine = obtain(run, service, reporter).await?;
        let machine = ec2.wait_running(&machine, reporter).await?;
        let service = placed(run, service, &machine).await;
        watch.lap("launch");
        let target = hosts::ec2_target(config, &machine, &found.identity);
        let target =
            target.ok_or_else(|| Error::NotRunning(format!("{} has no address", machine.id)))?;
        let begin = match plan.source(service.name.as_str()) {
            Some(_) => Begin::Waiting,
            None => Begin::with(fixtures, args.no_seed),
        };
        let (docker, tokens) = (config.docker, run.grants.tokens());
        let site = Site { service: &service, docker, target, artifact, begin, tokens };
        let settle = async |host: &Host| settle(ec2, &machine, host).await;
        let (host, ready) = deploy::deploy(&site, settle, reporter, &mut watch).await?;
        Ok((service, machine, host, ready))
    };
    let (service, machine, host, ready) =
        work.await.inspect_err(|error: &Error| reporter.failed(error.headline()))?;
    Ok(Brought { service, machine, host, ready, watch })
}

/// The service, told where the others will be found. That is known of all within seconds of
/// each other, and what comes after is the same for each: nothing is lost by waiting.
async fn placed(run: &Run<'_>, service: &Service, machine: &Machine) -> Service {
    let config = run.work.config;
    run.places.send_modify(|places| {
        let urls = machine.address.map(|it| endpoints::urls(service, it, machine.dns.as_deref()));
        places.insert(service.name.to_string(), urls.unwrap_or_default());
    });
    let mut places = run.places.subscribe();
    // The sender lives as long as the run does.
    let all = places.wait_for(|places| places.len() == config.services.len()).await;
    let told =
        all.map_or_else(|_| config.clone(), |places| config.placed(&places, Placement::Hosts));
    let own = told.services.into_iter().find(|it| it.name == service.name);
    own.unwrap_or_else(|| service.clone())
}

/// The machine that an earlier run launched for the service, or a new one.
async fn obtain(
    run: &Run<'_>,
    service: &Service,
    reporter: Reporter<'_>,
) -> Result<Machine, Error> {
    let name = service.name.as_str();
    let begun = run.work.plan.resumed.iter().find(|machine| machine.service == name);
    let machine = if let Some(machine) = begun {
        reporter.step(format!("going on with {}", machine.id));
        machine.clone()
    } else {
        reporter.step("launching");
        let host_key = Identity::fresh().map_err(|error| {
            Error::Runtime(std::io::Error::other(format!("no host key could be made: {error}")))
        })?;
        run.work.ec2.launch(&run.launch, &Wanted { service: name, host_key: &host_key }).await?
    };
    let mut launched = run.work.launched.lock().unwrap_or_else(PoisonError::into_inner);
    launched.push(format!("{} ({name})", machine.id));
    Ok(machine)
}

/// What a host gets once it can be trusted: a host key that was never in user data, and
/// a metadata service that wants tokens.
async fn settle(ec2: &Ec2, machine: &Machine, host: &Host) -> Result<(), Error> {
    let script = include_str!("../../../../templates/host-key-rotate.sh");
    let next = host.run("making a host key", Command::script(script, &["prepare"])).await?;
    let next = next.stdout.trim().to_owned();
    // All count while it is unclear which one the host has.
    let mut keys = machine.host_keys.clone();
    keys.push(next.clone());
    ec2.set_host_keys(&machine.id, &keys).await?;
    host.run("switching the host key", Command::script(script, &["switch"])).await?;
    ec2.set_host_keys(&machine.id, &[next]).await?;
    Ok(ec2.require_metadata_tokens(&machine.id).await?)
}
