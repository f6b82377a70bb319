//! `eventpost status`: what runs, and whether it is healthy.

mod local;
mod remote;
mod row;

use std::process::ExitCode;

use serde::Serialize;

use crate::cli::Status;
use crate::error::Error;
use crate::report::Cell;
use crate::session::{Placement, Session};

/// Exit code if not every service is healthy.
const UNHEALTHY: u8 = 3;

/// The state of a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Health {
    /// It is ready.
    Healthy,
    /// It answers and refuses writes.
    ReadOnly,
    /// It does not answer that it is ready.
    #[default]
    Unhealthy,
    /// Its process does not run.
    Stopped,
    /// It has no host.
    Missing,
    /// It has a host and is not part of the stack.
    Unwanted,
}

impl Health {
    fn cell(self) -> Cell {
        let word = match self {
            Self::Healthy => "healthy",
            Self::ReadOnly => "read-only",
            Self::Unhealthy => "unhealthy",
            Self::Stopped => "stopped",
            Self::Missing => "missing",
            Self::Unwanted => "unwanted",
        };
        Cell::verdict(word, self == Self::Healthy)
    }
}

pub(super) async fn run(args: &Status) -> Result<ExitCode, Error> {
    let session = Session::open(&args.stack, &args.placement)?;
    match session.placement {
        Placement::Local => local::run(args, session).await,
        Placement::Hosts(_) | Placement::Ec2 => remote::run(args, session).await,
    }
}

fn exit_code(health: impl IntoIterator<Item = Health>) -> ExitCode {
    let is_healthy = health.into_iter().all(|health| health == Health::Healthy);
    if is_healthy { ExitCode::SUCCESS } else { ExitCode::from(UNHEALTHY) }
}
