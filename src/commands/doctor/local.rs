//! Checks services that are processes of this machine.

use std::path::Path;

use support::http::{Client, Endpoint};

use super::Findings;
use crate::access::Token;
use crate::cli::Doctor;
use crate::config::Service;
use crate::doctor::Check;
use crate::error::Error;
use crate::health;
use crate::local::{self, ServiceFolder};
use crate::session::Session;

/// In percent of a disk.
const FULL: u64 = 95;

pub(super) async fn check_services(
    args: &Doctor,
    session: &Session,
    findings: &mut Findings,
) -> Result<(), Error> {
    findings.checks.push(disk(session.folder.path()));
    let token = session.token(&args.token)?;
    for service in &session.config.services {
        let name = service.name.as_str();
        let folder = session.folder.service(name);
        let checks = process(service, &folder, token.as_ref()).await;
        findings.checks.extend(checks.into_iter().map(|check| check.of(name)));
        if args.bundle.is_some() {
            let lines = local::last_lines(&folder.log(), 0);
            findings.files.push((format!("{name}/service.log"), lines));
        }
    }
    Ok(())
}

async fn process(service: &Service, folder: &ServiceFolder, token: Option<&Token>) -> Vec<Check> {
    let holder = match local::find(folder).await {
        Ok(Some(holder)) => holder,
        Ok(None) => {
            let lines = local::last_lines(&folder.log(), 0);
            let last = lines.lines().last().filter(|_| folder.log().exists());
            let found = match last {
                Some(last) => format!("is not running; the last line of its log: {}", last.trim()),
                None => "is not running and has never run".into(),
            };
            let fix = "`eventpost up --local` starts it; `eventpost logs --local SERVICE` says \
                why it ended";
            return vec![Check::wrong("process", found, fix)];
        }
        Err(error) => {
            let fix = "check who owns the folder and which process uses it";
            return vec![Check::wrong("process", error.to_string(), fix)];
        }
    };
    let running = Check::fine("process", format!("runs, pid {}", holder.pid));
    let endpoint = Endpoint::at(holder.address);
    let client = Client::from(endpoint.clone());
    let answer = match health::check(service.name.as_str(), &client, &service.health).await {
        Ok(ready) if ready.about.is_read_only() => Check::wrong(
            "writes",
            "are refused",
            "it ends by itself; to end it now, run the service's program with `read-only --off` \
             and `--data`",
        ),
        Ok(_) => Check::fine("answer", format!("{} is ready", endpoint.url(""))),
        Err(problem) => Check::wrong(
            "answer",
            problem.to_string(),
            "`eventpost logs --local SERVICE` says why; `eventpost down --local` and `up --local` \
             restart it with its data",
        ),
    };
    let mut checks = vec![running, answer];
    if let Some(token) = token {
        let client = Client::local(endpoint, Some(token.clone()));
        checks.push(super::token(service.name.as_str(), &client, &service.health).await);
    }
    checks
}

/// The disk that the data are on.
fn disk(folder: &Path) -> Check {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(there) {
        Ok(stat) if stat.f_blocks > 0 => {
            // As `df` counts: what is reserved for root is neither used nor available.
            let used = stat.f_blocks.saturating_sub(stat.f_bfree);
            let full = used * 100 / (used + stat.f_bavail).max(1);
            let found = format!("{} is {full} % full", there.display());
            if full < FULL {
                return Check::fine("disk", found);
            }
            Check::wrong("disk", found, "free space, or choose another folder with --state-dir")
        }
        Ok(_) => Check::unknown("disk", format!("{}: of no size", there.display())),
        Err(error) => Check::unknown("disk", format!("{}: {error}", there.display())),
    }
}
