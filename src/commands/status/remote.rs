//! `eventpost status` for hosts: from tags, HTTP and SSH, with nothing but credentials.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use ec2::{ElasticIp, Instance};
use futures_util::future::join_all;
use ssh::{HostError, Identity, Target};
use support::event::{NullSink, Reporter};
use support::http::{Client, Endpoint};
use support::wait::Deadline;

use super::Health;
use super::row::{Row, address_drift, drift};
use crate::access::Token;
use crate::cli::Status;
use crate::config::Service;
use crate::docker::{self, Container};
use crate::error::Error;
use crate::health::{self, About, NotReady};
use crate::session::{Placement, Session, existing_target, instance_target};

/// A host that runs answers at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What inspecting a service needs.
#[derive(Clone, Copy)]
struct Context<'a> {
    session: &'a Session,
    /// Without a key that logs in, the rest is reported all the same.
    identity: Option<&'a Identity>,
    token: Option<&'a Token>,
}

pub(super) async fn run(args: &Status, session: Session) -> Result<ExitCode, Error> {
    let identity = session.existing_identity()?;
    let token = session.token(&args.token)?;
    let context = Context { session: &session, identity: identity.as_ref(), token: token.as_ref() };
    let rows = session.inspect(context.rows()).await?;
    if session.placement == Placement::Ec2
        && let Some(note) = session.config.image.note()
    {
        session.reporter("image").warning(note);
    }
    session.print(&rows, args.output.format)?;
    Ok(super::exit_code(rows.iter().map(|row| row.health)))
}

impl Context<'_> {
    async fn rows(self) -> Result<Vec<Row>, Error> {
        let Placement::Hosts(addresses) = &self.session.placement else {
            return self.instances().await;
        };
        let config = &self.session.config;
        let rows = config.services.iter().map(|service| {
            let name = service.name.as_str();
            let address = addresses[name];
            let target = self.identity.map(|key| existing_target(config, name, address, key));
            self.complete(Row::of_service(service), service, Some(address), target)
        });
        Ok(join_all(rows).await)
    }

    async fn instances(self) -> Result<Vec<Row>, Error> {
        let (config, ec2) = (&self.session.config, self.session.ec2().await?);
        let group = config.group_spec();
        let (mut instances, addresses, image, group) = tokio::try_join!(
            ec2.instances(self.session.stack()),
            ec2.addresses(self.session.stack()),
            ec2.machine_image(&config.image),
            ec2.group_state(&group),
        )?;
        instances.retain(Instance::is_alive);
        let mut rows = Vec::new();
        for service in &config.services {
            let of_service = |instance: &&Instance| instance.service == service.name.as_str();
            let mut own: Vec<_> = instances.iter().filter(of_service).collect();
            // The last one serves; the others are left over from an interrupted launch.
            own.sort_by_key(|instance| (instance.serving, instance.generation));
            let Some(instance) = own.pop() else {
                rows.push(self.complete(Row::of_service(service), service, None, None));
                continue;
            };
            let mut row = Row::of_instance(instance);
            row.drift = drift(config, instance, &image.id, &group, service);
            let elastic = ElasticIp::of_service(&addresses, &instance.service);
            row.drift.extend(address_drift(config.address, elastic, &instance.id));
            row.drift.extend(own.iter().map(|extra| format!("{} is left over", extra.id)));
            let target = self.identity.and_then(|key| instance_target(config, instance, key));
            rows.push(self.complete(row, service, instance.address, target));
        }
        let mut rows = join_all(rows).await;
        let is_known =
            |it: &&Instance| config.services.iter().any(|s| s.name.as_str() == it.service);
        rows.extend(instances.iter().filter(|it| !is_known(it)).map(Row::unwanted));
        Ok(rows)
    }

    /// Adds what HTTP and SSH tell.
    async fn complete(
        self,
        mut row: Row,
        service: &Service,
        address: Option<IpAddr>,
        target: Option<Target>,
    ) -> Row {
        let Some(address) = address else {
            row.health = Health::Missing;
            row.add_problem("there is no host: `eventpost up` launches one");
            return row;
        };
        row.address = Some(address);
        let endpoint = Endpoint::at((address, service.port).into());
        let outside = Client::from(endpoint.clone());
        let inside = async { Some(inspect(&target?, service, endpoint, self.token).await) };
        let checked = async {
            if !service.is_public() {
                return None;
            }
            Some(health::check(service.name.as_str(), &outside, &service.health).await)
        };
        let (checked, inside) = tokio::join!(checked, inside);
        let inside = inside.unwrap_or_default();
        let config = &self.session.config;
        match (checked, inside.details) {
            (Some(Ok(ready)), None) => row.add(ready.about, config),
            (Some(Ok(_)) | None, Some(Ok(details))) => row.add(details, config),
            (Some(Ok(ready)), Some(Err(problem))) => {
                row.add(ready.about, config);
                row.add_problem(&problem.to_string());
            }
            (Some(Err(problem)), _) | (None, Some(Err(problem))) => {
                row.health = Health::Unhealthy;
                row.add_problem(&problem.to_string());
            }
            (None, None) => {
                row.health = Health::Unhealthy;
                row.add_problem(
                    "it can be reached through SSH only, and its host cannot be logged in to",
                );
            }
        }
        match inside.container {
            None => {}
            Some(Ok(None)) => row.container = Some("missing".into()),
            Some(Ok(Some(container))) => {
                row.container = Some(container.to_string());
                row.image = Some(container.image);
            }
            Some(Err(error)) => {
                row.container = Some("unknown".into());
                row.add_problem(&error.to_string());
            }
        }
        row
    }
}

/// What a host reports to users that may log in.
#[derive(Default)]
struct HostDetails {
    /// The service's container, or why nobody knows.
    container: Option<Result<Option<Container>, HostError>>,
    /// What the service reports through SSH, if it was asked there.
    details: Option<Result<About, NotReady>>,
}

async fn inspect(
    target: &Target,
    service: &Service,
    endpoint: Endpoint,
    token: Option<&Token>,
) -> HostDetails {
    let name = service.name.as_str();
    let reporter = Reporter::new(&NullSink, name);
    let host = ssh::connect(target, Deadline::after(CONNECT_TIMEOUT), reporter).await;
    let Ok(host) = host else { return HostDetails::default() };
    let container = Some(docker::inspect(&host, service).await);
    if token.is_none() && service.is_public() {
        return HostDetails { container, details: None };
    }
    let client = Client::through(host.port(service.port), endpoint, token.cloned());
    let details = health::check(name, &client, &service.health).await;
    HostDetails { container, details: Some(details.map(|ready| ready.about)) }
}
