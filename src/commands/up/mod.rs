//! `eventpost up`: on this machine, on existing hosts, or on EC2; and the plan of it.

mod ec2;
mod existing;
mod local;
mod names;

use std::net::IpAddr;
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::{self, Up};
use crate::config::{Config, PublicAddress, Service};
use crate::deploy::Step;
use crate::error::Error;
use crate::fixtures::{self, AllFixtures};
use crate::plan::Plan;
use crate::report::{Cell, Table};
use crate::secrets;
use crate::session::{Placement, Session};
use support::wait::in_words;

pub(super) async fn run(args: &Up) -> Result<ExitCode, Error> {
    let session = Session::open(&args.plan.stack, &args.plan.placement)?;
    session.check_placement()?;
    let fixtures = read_files(&session.config)?;
    match session.placement {
        Placement::Local => local::run(args, session, &fixtures).await,
        Placement::Hosts(_) => existing::run(args, session, &fixtures).await,
        Placement::Ec2 => ec2::run(args, session, &fixtures).await,
    }
}

/// The operations that `up` would execute now.
pub(super) async fn plan(args: &cli::Plan, session: &Session) -> Result<Plan, Error> {
    let fixtures = read_files(&session.config)?;
    match session.placement {
        Placement::Local => local::plan(args, session, &fixtures).await,
        Placement::Hosts(_) => existing::plan(args, session, &fixtures).await,
        Placement::Ec2 => ec2::plan(args, session, &fixtures).await,
    }
}

/// Reads the files that the description names, before anything is changed.
fn read_files(config: &Config) -> Result<AllFixtures, Error> {
    secrets::check(config)?;
    Ok(fixtures::load_all(config)?)
}

/// A service that was brought up on a host.
#[derive(Debug, Serialize)]
struct Row {
    service: String,
    outcome: &'static str,
    host: String,
    #[serde(skip)]
    address: Option<IpAddr>,
    url: String,
    /// How long each step took, in order.
    steps: Vec<Step>,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["SERVICE", "OUTCOME", "HOST", "URL", "TIME"];

    fn cells(&self) -> Vec<Cell> {
        let seconds: f64 = self.steps.iter().map(|step| step.seconds).sum();
        let time = std::time::Duration::from_secs_f64(seconds);
        vec![
            Cell::text(Some(&self.service)),
            Cell::verdict(self.outcome, true),
            Cell::text(Some(&self.host)),
            Cell::text(Some(&self.url)),
            Cell::text(Some(in_words(time)).filter(|_| !self.steps.is_empty())),
        ]
    }
}

/// Says where names have to lead, and how services without a name get HTTPS.
async fn explain_addresses(session: &Session, rows: &[Row]) {
    for service in &session.config.services {
        let row = rows.iter().find(|row| row.service == service.name.as_str());
        if let (Some(domain), Some(address)) = (service.domain(), row.and_then(|row| row.address))
            && let Err(problem) = names::check(domain, address).await
        {
            session.reporter(service.name.as_str()).warning(problem);
        }
    }
    if session.config.services.iter().any(Service::is_public) {
        suggest_https(session);
    }
}

/// Says how the services get HTTPS, which they do not have by themselves.
fn suggest_https(session: &Session) {
    let needed = match (&session.placement, session.config.address) {
        (Placement::Ec2, PublicAddress::Auto) => "a `domain`, with `address: elastic`",
        _ => "a `domain`",
    };
    session.reporter("https").done(format!(
        "services without {needed} answer by plain HTTP; give them that, or put a proxy that \
         terminates TLS in front of them: docs/security.md, HTTPS"
    ));
}
