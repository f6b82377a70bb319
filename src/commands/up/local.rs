//! `eventpost up --local`: programs, plan, start, health, seed, report. What a failed or
//! interrupted run had started is stopped again.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use futures_util::future::try_join_all;
use serde::Serialize;
use support::digest::sha256;
use support::event::{EventSink, Reporter};
use support::http::Client;

use crate::access::{Keyring, Token};
use crate::binary;
use crate::cli::Up;
use crate::commands::access;
use crate::config::{Config, Placement, Places, Service};
use crate::error::Error;
use crate::fixtures::{self, Fixtures};
use crate::local::{self, Begun, Job, LocalError, StackFolder};
use crate::plan::preview::{self, Change};
use crate::plan::{self, Action, Existing, Wanted};
use crate::progress;
use crate::report::{self, Cell, Table};
use crate::secrets;
use crate::seed;
use crate::signals::Signals;

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

pub(super) async fn run(args: &Up, config: &Config) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let _lock = stack.lock()?;
    let begun = Begun::default();
    let display = progress::display();
    let outcome = signals.race(bring_up(args, config, &stack, display.as_ref(), &begun)).await;
    drop(display);
    let error = match outcome {
        Ok(Ok(rows)) => {
            report::print(&rows, args.output.format)?;
            return Ok(ExitCode::SUCCESS);
        }
        Ok(Err(error)) => error,
        Err(caught) => caught.into_error("what this run had started is stopped again"),
    };
    begun.undo().await?;
    Err(error)
}

async fn bring_up(
    args: &Up,
    config: &Config,
    stack: &StackFolder,
    display: &dyn EventSink,
    begun: &Begun,
) -> Result<Vec<Row>, Error> {
    // All that can be wrong is found before anything is touched.
    let addresses = addresses(args.port_base, config.services.len())?;
    let fixtures = fixtures::load_all(config)?;
    let reporter = Reporter::new(display, "access");
    let grants = access::for_local(config, (&args.stack, &args.token), reporter)?;
    let config = &placed(config, stack, &addresses);
    let programs = build(config, display).await?;
    let jobs = plan_all(config, stack, &programs, addresses).await?;

    // A service may take over the port of another: all that must go, goes first.
    let outdated = jobs.iter().filter(|job| matches!(job.action, Action::Restart { .. }));
    try_join_all(outdated.map(|job| local::stop(&job.folder))).await?;
    let rows = jobs.iter().zip(&fixtures).map(|(job, fixtures)| {
        let fixtures = Some(fixtures).filter(|_| !args.no_seed);
        finish_one(job, fixtures, grants.token.as_ref(), display, begun)
    });
    try_join_all(rows).await
}

/// What `up --local` would do now.
pub(crate) async fn changes(
    args: &Up,
    config: &Config,
    stack: &StackFolder,
    display: &dyn EventSink,
) -> Result<Vec<Change>, Error> {
    let addresses = addresses(args.port_base, config.services.len())?;
    let config = &placed(config, stack, &addresses);
    let programs = build(config, display).await?;
    let jobs = plan_all(config, stack, &programs, addresses).await?;
    let change = |job: &Job<'_>| {
        let at = format!("a process at {}", job.wanted.address);
        preview::of_local(job.service.name.as_str(), at, &job.action)
    };
    Ok(jobs.iter().map(change).collect())
}

/// What is to be done for each service. All that is in the way is found here.
async fn plan_all<'a>(
    config: &'a Config,
    stack: &StackFolder,
    programs: &'a [PathBuf],
    addresses: Vec<SocketAddr>,
) -> Result<Vec<Job<'a>>, Error> {
    let (mut jobs, mut ours) = (Vec::new(), Vec::new());
    for ((service, program), address) in config.services.iter().zip(programs).zip(addresses) {
        let (job, existing) = plan_one(stack, service, program, address).await?;
        jobs.push(job);
        ours.push(existing);
    }
    check_ports(&jobs, &ours)?;
    Ok(jobs)
}

/// Ports from the first on, one for each service.
fn addresses(base: u16, services: usize) -> Result<Vec<SocketAddr>, LocalError> {
    let ports: Vec<_> = (base..=u16::MAX).take(services).collect();
    if ports.len() < services {
        return Err(LocalError::NoPorts { base, services });
    }
    Ok(ports.into_iter().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))).collect())
}

/// The services, told of each other and of who may use them.
fn placed(config: &Config, stack: &StackFolder, addresses: &[SocketAddr]) -> Config {
    let keyring = Keyring::beside(&stack.key());
    config.placed(&places(config, addresses), Placement::Local(keyring.path()))
}

/// Where browsers of this machine find the services, which they do by either name.
fn places(config: &Config, addresses: &[SocketAddr]) -> Places {
    let urls = |address: &SocketAddr| {
        vec![format!("http://{address}"), format!("http://localhost:{}", address.port())]
    };
    let names = config.services.iter().map(|service| service.name.to_string());
    names.zip(addresses.iter().map(urls)).collect()
}

/// The program of each service. One after the other: cargo uses every core by itself.
async fn build(config: &Config, display: &dyn EventSink) -> Result<Vec<PathBuf>, Error> {
    let mut programs = Vec::new();
    for service in &config.services {
        let reporter = Reporter::new(display, service.name.as_str());
        reporter.step("building");
        let program = binary::provide(config, service, reporter).await;
        programs.push(program.inspect_err(|_| reporter.failed("there is no program to run"))?);
        reporter.detail("built");
    }
    Ok(programs)
}

/// What is to be done for a service, and what there is of it.
async fn plan_one<'a>(
    stack: &StackFolder,
    service: &'a Service,
    program: &'a Path,
    address: SocketAddr,
) -> Result<(Job<'a>, Existing), Error> {
    let folder = stack.service(service.name.as_str());
    let mut env = local::local_env(service);
    // A secret that has changed is a change of what the service is given.
    for (name, content) in secrets::read(service)? {
        env.insert(format!("the content of {name}"), sha256(content));
    }
    let wanted = Wanted { address, release: local::release(program, &env)? };
    let existing = match local::find(&folder).await? {
        None => Existing::Stopped,
        Some(holder) => Existing::Running { address: holder.address, release: folder.release() },
    };
    let action = plan::decide(&wanted, &existing);
    Ok((Job { service, folder, program, wanted, action }, existing))
}

/// Finds a port that something else uses, before the first service is touched.
fn check_ports(jobs: &[Job<'_>], ours: &[Existing]) -> Result<(), LocalError> {
    let is_ours = |wanted: SocketAddr| {
        let at = |existing: &Existing| matches!(existing, Existing::Running { address, .. } if *address == wanted);
        ours.iter().any(at)
    };
    for job in jobs {
        let address = job.wanted.address;
        if !is_ours(address) && TcpListener::bind(address).is_err() {
            let service = job.service.name.to_string();
            return Err(LocalError::PortTaken { service, address });
        }
    }
    Ok(())
}

/// Brings one service to where it is ready and, with fixtures, seeded.
async fn finish_one(
    job: &Job<'_>,
    fixtures: Option<&Fixtures>,
    token: Option<&Token>,
    display: &dyn EventSink,
    begun: &Begun,
) -> Result<Row, Error> {
    let reporter = Reporter::new(display, job.service.name.as_str());
    let work = async {
        let ready = job.make_ready(reporter, begun).await?;
        let collection = job.service.collection();
        let mut resources = ready.about.resources;
        if let Some(fixtures) = fixtures {
            reporter.step("seeding");
            let client = Client::local(ready.endpoint().clone(), token.cloned());
            let ready = ready.clone().by(client);
            let seeded = seed::apply(&ready, &collection, fixtures, false, reporter).await?;
            resources = resources.map(|before| before + seeded.added as u64);
        }
        let url = ready.endpoint().url(&collection);
        let outcome = match job.action {
            Action::Keep => "kept",
            Action::Start => "started",
            Action::Restart { .. } => "restarted",
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

    #[test]
    fn each_service_has_its_port_up_to_the_last() {
        let ports = |base, services| {
            addresses(base, services)
                .map(|all| all.iter().map(SocketAddr::port).collect::<Vec<_>>())
        };
        assert_eq!(ports(8000, 2).unwrap(), [8000, 8001]);
        assert_eq!(ports(65534, 2).unwrap(), [65534, 65535]);
        assert!(ports(65535, 2).unwrap_err().to_string().contains("--port-base 65535"));
    }
}
