//! `eventpost doctor`: checks a stack from the credentials to the container, and prints the
//! cause of what is wrong and how to fix it. Changes nothing.

mod bundle;
mod local;
mod reach;
mod remote;

use std::process::ExitCode;

use serde::Serialize;
use support::http::Client;

use crate::cli::{Doctor, Output};
use crate::commands::destination::Destination;
use crate::doctor::{Check, cause};
use crate::error::Error;
use crate::health;
use crate::report::{self, Cell, Table};
use crate::session::{Placement, Session};

/// The exit code if something is wrong, as of `status`.
const WRONG: u8 = 3;

/// The results of checks.
#[derive(Debug, Default)]
struct Findings {
    checks: Vec<Check>,
    /// For the bundle: the name of each file and its text.
    files: Vec<(String, String)>,
}

impl Findings {
    fn extend(&mut self, other: Self) {
        self.checks.extend(other.checks);
        self.files.extend(other.files);
    }
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Diagnosis<'a> {
    checks: &'a [Check],
    cause: Option<&'a Check>,
}

impl Table for Check {
    const HEADINGS: &'static [&'static str] = &["SERVICE", "CHECK", "VERDICT", "FOUND"];

    fn cells(&self) -> Vec<Cell> {
        let first = self.found.lines().next().unwrap_or_default();
        vec![
            Cell::text(self.service.as_ref()),
            Cell::text(Some(self.subject)),
            Cell::verdict(self.verdict.as_str(), !self.is_wrong()),
            Cell::text(Some(first)),
        ]
    }
}

pub(super) async fn run(args: &Doctor) -> Result<ExitCode, Error> {
    let session = Session::open(&args.stack, &args.placement)?;
    let bundle = args.bundle.as_deref().map(Destination::private).transpose()?;
    let findings = session.inspect(check_all(args, &session)).await?;
    let diagnosis = Diagnosis { checks: &findings.checks, cause: cause(&findings.checks) };
    if let Some(file) = bundle {
        bundle::write(file, &session.config, &diagnosis, &findings.files)?;
    }
    session.close();
    print(&diagnosis, args.output.format)?;
    Ok(diagnosis.cause.map_or(ExitCode::SUCCESS, |_| ExitCode::from(WRONG)))
}

async fn check_all(args: &Doctor, session: &Session) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let about = format!("{} describes stack {}", session.config.origin, session.stack());
    findings.checks.push(Check::fine("description", about));
    match session.placement {
        Placement::Local => local::check_services(args, session, &mut findings).await?,
        Placement::Hosts(_) | Placement::Ec2 => {
            remote::check_services(args, session, &mut findings).await?;
        }
    }
    Ok(findings)
}

/// Whether a service accepts the token that a client sends.
async fn token(service: &str, client: &Client, path: &str) -> Check {
    let fix = "`eventpost deploy` (with --local: `eventpost up --local`) brings this machine's \
        tokens to the services; EVENTPOST_TOKEN or --token-file gives another one";
    match health::check(service, client, path).await {
        Ok(ready) if ready.about.access.is_some() => {
            Check::fine("token", "is accepted, with the role admin")
        }
        Ok(_) => Check::fine("token", "is accepted, with a role below admin"),
        Err(problem) => Check::wrong("token", problem.to_string(), fix),
    }
}

fn print(diagnosis: &Diagnosis<'_>, output: Output) -> Result<(), Error> {
    if output == Output::Json {
        return report::json(diagnosis);
    }
    report::print(diagnosis.checks, output)?;
    report::gap()?;
    let Some(cause) = diagnosis.cause else {
        return report::line("No problems found.");
    };
    let of = cause.service.as_ref().map(|service| format!("{service}: ")).unwrap_or_default();
    report::line(&format!("Cause: {of}{}: {}", cause.subject, cause.found))?;
    report::line(&format!("Fix: {}", cause.fix.as_deref().unwrap_or("-")))
}
