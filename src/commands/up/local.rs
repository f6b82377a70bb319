//! `eventpost up --local`: build, plan, start, health, seed, report. What a failed or
//! interrupted run started is stopped again.

use std::collections::BTreeMap;
use std::iter;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use futures_util::future::try_join_all;
use serde::Serialize;
use support::digest::sha256;
use support::http::{Client, Endpoint};

use crate::access::Token;
use crate::binary::{self, Destination};
use crate::cli::{self, Up};
use crate::config::{Name, Service};
use crate::error::Error;
use crate::fixtures::{AllFixtures, Fixtures};
use crate::local::{self, Job, LocalError, StartedServices};
use crate::plan::local::{ProcessSpec, ProcessState, operation};
use crate::plan::{Action, Operation, Plan};
use crate::report::{Cell, Table};
use crate::secrets;
use crate::seed;
use crate::session::Session;

/// What an interrupt leaves.
const LEFT: &str = "what this run had started is stopped again";

/// A row of the result.
#[derive(Debug, Serialize)]
struct Row {
    service: String,
    outcome: &'static str,
    url: String,
    resources: Option<u64>,
    log: PathBuf,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["SERVICE", "OUTCOME", "URL", "RESOURCES", "LOG"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(Some(&self.service)),
            Cell::verdict(self.outcome, true),
            Cell::text(Some(&self.url)),
            Cell::text(self.resources),
            Cell::text(Some(self.log.display())),
        ]
    }
}

/// What the plan of every service is made from.
struct Planning<'a> {
    session: &'a Session,
    /// `None` if nothing is seeded.
    fixtures: Option<&'a AllFixtures>,
    token: Option<Token>,
    /// Whether the list of tokens is about to change.
    changes_tokens: bool,
}

/// A service that is ready to be planned.
struct BuiltService {
    service: Service,
    program: PathBuf,
    address: SocketAddr,
}

pub(super) async fn run(
    args: &Up,
    session: Session,
    fixtures: &AllFixtures,
) -> Result<ExitCode, Error> {
    let rows = session.locked("up", async || {
        let started = StartedServices::default();
        let brought_up = session.run(LEFT, bring_up(args, &session, fixtures, &started)).await;
        if brought_up.is_err() {
            started.stop().await?;
        }
        brought_up
    });
    let rows = rows.await?;
    session.print(&rows, args.plan.output.format)?;
    Ok(ExitCode::SUCCESS)
}

/// The operations that `up --local` would execute now.
pub(super) async fn plan(
    args: &cli::Plan,
    session: &Session,
    fixtures: &AllFixtures,
) -> Result<Plan, Error> {
    let planning = Planning {
        session,
        fixtures: Some(fixtures).filter(|_| !args.no_seed),
        token: session.token(&args.token)?,
        changes_tokens: session.changes_local_tokens(&args.token)?,
    };
    let built = build(args.port_base, session).await?;
    let jobs = planning.all(&built).await?;
    let operations = jobs.into_iter().flat_map(|job| iter::once(job.operation).chain(job.seed));
    Ok(Plan::new(session.stack(), operations.collect()))
}

async fn bring_up(
    args: &Up,
    session: &Session,
    fixtures: &AllFixtures,
    started: &StartedServices,
) -> Result<Vec<Row>, Error> {
    // Everything that can be wrong is found before anything is changed.
    addresses(args.plan.port_base, &session.config.services)?;
    let grants = session.local_grants(&args.plan.token)?;
    let built = build(args.plan.port_base, session).await?;
    let planning = Planning {
        session,
        fixtures: Some(fixtures).filter(|_| !args.plan.no_seed),
        token: grants.token.clone(),
        changes_tokens: false,
    };
    let jobs = planning.all(&built).await?;

    // A service may take over the port of another, so all that restart are stopped first.
    let restarts = |job: &&Job<'_>| matches!(job.operation.action, Action::Restart { .. });
    try_join_all(jobs.iter().filter(restarts).map(|job| local::stop(&job.folder))).await?;
    let rows = jobs.iter().map(|job| {
        let fixtures = fixtures.get(&job.service.name).filter(|_| job.seed.is_some());
        finish(job, fixtures, grants.token.as_ref(), session, started)
    });
    try_join_all(rows).await
}

/// Builds the programs, one after the other, since cargo uses every core by itself.
async fn build(port_base: u16, session: &Session) -> Result<Vec<BuiltService>, Error> {
    let addresses = addresses(port_base, &session.config.services)?;
    let urls = addresses.iter().map(|(name, address)| {
        // Browsers of this machine use either name.
        let localhost = format!("http://localhost:{}", address.port());
        (name.to_string(), vec![format!("http://{address}"), localhost])
    });
    let config = session.config.on_this_machine(&urls.collect(), session.keyring().path());
    let mut built = Vec::new();
    for service in &config.services {
        let reporter = session.reporter(service.name.as_str());
        reporter.step("building");
        let program = binary::provide(&config, service, Destination::Here, reporter).await;
        let program = program.inspect_err(|_| reporter.failed("there is no program to run"))?;
        reporter.detail("built");
        let address = addresses[&service.name];
        built.push(BuiltService { service: service.clone(), program, address });
    }
    Ok(built)
}

impl Planning<'_> {
    /// What is done for each service. Fails if a port is in use.
    async fn all<'a>(&self, built: &'a [BuiltService]) -> Result<Vec<Job<'a>>, Error> {
        let (mut jobs, mut in_use) = (Vec::new(), Vec::new());
        for service in built {
            let (job, existing) = self.one(service).await?;
            jobs.push(job);
            in_use.extend(match existing {
                ProcessState::Running { address, .. } => Some(address),
                ProcessState::Stopped => None,
            });
        }
        check_ports(&jobs, &in_use)?;
        Ok(jobs)
    }

    /// What is done for a service, and how it runs now.
    async fn one<'a>(&self, built: &'a BuiltService) -> Result<(Job<'a>, ProcessState), Error> {
        let BuiltService { service, program, address } = built;
        let name = service.name.as_str();
        let folder = self.session.folder.service(name);
        let release = local::release(program, &self.env(service)?)?;
        let wanted = ProcessSpec { address: *address, release };
        let existing = match local::find(&folder).await? {
            None => ProcessState::Stopped,
            Some(holder) => {
                ProcessState::Running { address: holder.address, release: folder.release() }
            }
        };
        let operation = operation(name, &wanted, &existing);
        let seed = Operation::seed(name, self.missing_fixtures(service, &existing).await);
        Ok((Job { service, folder, program, wanted, operation, seed }, existing))
    }

    /// The environment of a service, with all that it is restarted for if it changes.
    fn env(&self, service: &Service) -> Result<BTreeMap<String, String>, Error> {
        let mut env = local::local_env(service);
        // A secret with other content counts as another environment.
        for (name, content) in secrets::read(service)? {
            env.insert(format!("the content of {name}"), sha256(content));
        }
        if self.changes_tokens {
            env.insert("the list of tokens".into(), "is about to change".into());
        }
        Ok(env)
    }

    async fn missing_fixtures(&self, service: &Service, existing: &ProcessState) -> usize {
        let Some(fixtures) = self.fixtures.and_then(|all| all.get(&service.name)) else { return 0 };
        match existing {
            ProcessState::Stopped => fixtures.items.len(),
            ProcessState::Running { address, .. } => {
                let client = Client::local(Endpoint::at(*address), self.token.clone());
                seed::missing(service, client, fixtures).await
            }
        }
    }
}

/// Consecutive ports from `base`, one for each service.
fn addresses(base: u16, services: &[Service]) -> Result<BTreeMap<Name, SocketAddr>, LocalError> {
    let ports: Vec<_> = (base..=u16::MAX).take(services.len()).collect();
    if ports.len() < services.len() {
        return Err(LocalError::NoPorts { base, services: services.len() });
    }
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let names = services.iter().map(|service| service.name.clone());
    Ok(names.zip(ports.into_iter().map(address)).collect())
}

/// Fails if another program uses a port, before the first service is changed.
fn check_ports(jobs: &[Job<'_>], in_use_by_stack: &[SocketAddr]) -> Result<(), LocalError> {
    for job in jobs {
        let address = job.wanted.address;
        if !in_use_by_stack.contains(&address) && TcpListener::bind(address).is_err() {
            let service = job.service.name.to_string();
            return Err(LocalError::PortTaken { service, address });
        }
    }
    Ok(())
}

/// Waits until a service is ready, starting it if necessary, and seeds it.
async fn finish(
    job: &Job<'_>,
    fixtures: Option<&Fixtures>,
    token: Option<&Token>,
    session: &Session,
    started: &StartedServices,
) -> Result<Row, Error> {
    let reporter = session.reporter(job.service.name.as_str());
    let work = async {
        let ready = job.make_ready(reporter, started).await?;
        let collection = job.service.collection();
        let mut resources = ready.about.resources;
        if let Some(fixtures) = fixtures {
            reporter.step("seeding");
            let client = Client::local(ready.endpoint().clone(), token.cloned());
            let ready = ready.clone().with_client(client);
            let seeded = seed::apply(&ready, &collection, fixtures, false, reporter).await?;
            resources = resources.map(|before| before + seeded.added as u64);
        }
        let url = ready.endpoint().url(&collection);
        let outcome = match job.operation.action {
            Action::Start { .. } => "started",
            Action::Restart { .. } => "restarted",
            _ => "kept",
        };
        reporter.done(format!("{outcome}, {url}"));
        let service = job.service.name.to_string();
        Ok(Row { service, outcome, url, resources, log: job.folder.log() })
    };
    work.await.inspect_err(|error: &Error| {
        reporter.failed(error.headline());
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn each_service_has_its_port_up_to_the_last() {
        let services = config::load(None, None).unwrap().services;
        let ports = |base| {
            addresses(base, &services).map(|all| all.values().map(SocketAddr::port).collect())
        };
        let two: Result<Vec<_>, _> = ports(8000);
        assert_eq!(two.unwrap(), [8000, 8001]);
        assert_eq!(ports(65534).unwrap(), [65534, 65535]);
        assert!(ports(65535).unwrap_err().to_string().contains("--port-base 65535"));
    }
}
