//! `eventpost down`: terminates the stack's hosts on EC2, or stops its local processes.

mod ec2;
mod local;

use std::process::ExitCode;

use serde::Serialize;

use crate::cli::{Down, PlacementArgs};
use crate::error::Error;
use crate::report::{Cell, Table};
use crate::session::{Placement, Session};

pub(super) async fn run(args: &Down) -> Result<ExitCode, Error> {
    let placement = PlacementArgs { local: args.local, hosts: Vec::new() };
    let session = Session::open(&args.stack, &placement)?;
    match session.placement {
        Placement::Local => local::run(args, session).await,
        Placement::Ec2 => ec2::run(args, session).await,
        Placement::Hosts(_) => Err(Error::Request(format!(
            "{origin}: the stack runs on existing hosts, which `down` does not change: `eventpost exec \
             SERVICE -- sudo docker stop eventpost-SERVICE` stops a service; to terminate instances \
             that the stack still has on EC2, remove `hosts:` from {origin} first",
            origin = session.config.origin
        ))),
    }
}

/// Something that was terminated or stopped.
#[derive(Debug, Serialize)]
struct Row {
    service: String,
    /// The instance or process; `None` if there was none.
    what: Option<String>,
    outcome: &'static str,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["SERVICE", "WHAT", "OUTCOME"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(Some(&self.service)),
            Cell::text(self.what.as_ref()),
            Cell::verdict(self.outcome, true),
        ]
    }
}
