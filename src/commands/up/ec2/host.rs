//! Brings one host up, launched or resumed, until its service is ready.

use std::sync::PoisonError;

use ec2::{Ec2, ElasticIp, Instance, Launch, NewInstance};
use ssh::{Command, Host, Identity};
use support::event::Reporter;
use tokio::sync::watch;

use super::address::{Addresses, Certificates, final_address};
use super::{Row, Work};
use crate::config::{Service, ServiceUrls};
use crate::deploy::{self, Deployment, InitialData, PendingArtifact, Stopwatch};
use crate::error::Error;
use crate::fixtures::Fixtures;
use crate::health::Ready;
use crate::session::{Grants, instance_target, url_of, urls};

/// What the hosts of a run share.
pub(super) struct Run<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) launch: Launch,
    pub(super) grants: &'a Grants,
    pub(super) addresses: Addresses,
    pub(super) certificates: Certificates,
    /// The URLs of the services whose hosts have an address already.
    pub(super) urls: watch::Sender<ServiceUrls>,
}

/// A service that is ready on its new host.
pub(super) struct NewHost {
    pub(super) service: Service,
    pub(super) instance: Instance,
    /// The address that still points to the old host.
    pub(super) elastic: Option<ElasticIp>,
    /// The old host that has it, if it can be connected to.
    pub(super) old: Option<Host>,
    pub(super) host: Host,
    pub(super) ready: Ready,
    pub(super) watch: Stopwatch,
}

impl NewHost {
    pub(super) fn into_row(self) -> Row {
        let address = self.instance.address.map(|it| it.to_string()).unwrap_or_default();
        Row {
            service: self.service.name.to_string(),
            outcome: "launched",
            host: format!("{} {address}", self.instance.id),
            address: self.instance.address,
            url: self.url(),
            steps: self.watch.steps(),
        }
    }

    /// The URL of its collection, by the host's name if it has one.
    pub(super) fn url(&self) -> String {
        let (path, port) = (self.service.collection(), self.service.port);
        match &self.instance.dns {
            _ if self.service.tls.is_some() => url_of(&self.service, self.ready.endpoint()),
            Some(name) if port == 80 => format!("http://{name}{path}"),
            Some(name) => format!("http://{name}:{port}{path}"),
            None => self.ready.endpoint().url(&path),
        }
    }
}

/// Launches or resumes a service's host and waits until the service is ready.
pub(super) async fn bring_up<'a>(
    run: &Run<'_>,
    service: &'a Service,
    fixtures: &'a Fixtures,
    artifact: PendingArtifact<'a>,
) -> Result<NewHost, Error> {
    let Work { session, ec2, survey, plan, .. } = run.work;
    let reporter = session.reporter(service.name.as_str());
    let mut watch = Stopwatch::start();
    let work = async {
        let instance = launch_or_resume(run, service, reporter).await?;
        let instance = ec2.wait_running(&instance, reporter).await?;
        let (instance, elastic) = give_address(run, service, instance, reporter).await?;
        let service = with_urls(run, service, &instance, elastic.as_ref()).await;
        watch.lap("launch");
        let target = instance_target(&session.config, &instance, &survey.identity);
        let no_address = || Error::NoAddress { instance: instance.id.clone() };
        let target = target.ok_or_else(no_address)?;
        let data = match plan.source(service.name.as_str()) {
            Some(_) => InitialData::CarriedOver,
            None if plan.seeds(service.name.as_str()) => InitialData::Fixtures(fixtures),
            None => InitialData::Existing,
        };
        let (docker, tokens) = (session.config.docker, run.grants.list_and_token());
        let tls = run.certificates.get(service.name.as_str());
        let deployment =
            Deployment { service: &service, docker, target, artifact, data, tokens, tls };
        let secure = async |host: &Host| secure(ec2, &instance, host).await;
        let (host, ready) = deploy::deploy(&deployment, secure, reporter, &mut watch).await?;
        Ok((service, instance, elastic, host, ready))
    };
    let (service, instance, elastic, host, ready) =
        work.await.inspect_err(|error: &Error| reporter.failed(error.headline()))?;
    Ok(NewHost { service, instance, elastic, old: None, host, ready, watch })
}

/// Gives a new host the address of its service, unless an old host still serves there: then the
/// address is returned, and moves later.
async fn give_address(
    run: &Run<'_>,
    service: &Service,
    instance: Instance,
    reporter: Reporter<'_>,
) -> Result<(Instance, Option<ElasticIp>), Error> {
    let name = service.name.as_str();
    let Some(elastic) = run.addresses.get(name) else { return Ok((instance, None)) };
    if run.work.plan.address_holder(name).is_some() {
        return Ok((instance, Some(elastic.clone())));
    }
    if instance.address == Some(elastic.address) {
        return Ok((instance, None));
    }
    reporter.step(format!("giving it {}", elastic.address));
    run.work.ec2.move_address(elastic, &instance.id).await?;
    Ok((run.work.ec2.wait_moved(elastic, &instance.id, reporter).await?, None))
}

/// The service with the URLs of the others. Waits until all hosts have an address, which they
/// get within seconds of each other.
async fn with_urls(
    run: &Run<'_>,
    service: &Service,
    instance: &Instance,
    elastic: Option<&ElasticIp>,
) -> Service {
    let config = &run.work.session.config;
    run.urls.send_modify(|all| {
        let address = final_address(instance, elastic);
        let own = address.map(|(address, dns)| urls(service, address, dns.as_deref()));
        all.insert(service.name.to_string(), own.unwrap_or_default());
    });
    let mut all = run.urls.subscribe();
    // The sender lives as long as the run does.
    let all = all.wait_for(|all| all.len() == config.services.len()).await;
    let config = all.map_or_else(|_| config.clone(), |urls| config.on_hosts(&urls));
    let own = config.services.into_iter().find(|it| it.name == service.name);
    own.unwrap_or_else(|| service.clone())
}

async fn launch_or_resume(
    run: &Run<'_>,
    service: &Service,
    reporter: Reporter<'_>,
) -> Result<Instance, Error> {
    let name = service.name.as_str();
    let instance = if let Some(instance) = run.work.plan.resumed(name) {
        reporter.step(format!("resuming {}", instance.id));
        instance.clone()
    } else {
        reporter.step("launching");
        let host_key = Identity::generate()?;
        let in_database = service.database().is_some();
        let new = NewInstance { service: name, in_database, host_key: &host_key };
        run.work.ec2.launch(&run.launch, &new).await?
    };
    let mut launched = run.work.launched.lock().unwrap_or_else(PoisonError::into_inner);
    launched.push(format!("{} ({name})", instance.id));
    Ok(instance)
}

/// Gives a new host a host key that was never in user data, and makes its metadata service
/// require tokens.
async fn secure(ec2: &Ec2, instance: &Instance, host: &Host) -> Result<(), Error> {
    let script = include_str!("../../../../templates/host-key-rotate.sh");
    let next = host.run("generating a host key", Command::script(script, &["prepare"])).await?;
    let next = next.stdout.trim().to_owned();
    // All keys count while it is unclear which one the host uses.
    let mut keys = instance.host_keys.clone();
    keys.push(next.clone());
    ec2.set_host_keys(&instance.id, &keys).await?;
    host.run("switching the host key", Command::script(script, &["switch"])).await?;
    ec2.set_host_keys(&instance.id, &[next]).await?;
    Ok(ec2.require_metadata_tokens(&instance.id).await?)
}
