//! `eventpost status`: what runs, and whether all is well.

mod hosts;
mod local;

use std::process::ExitCode;

use crate::cli::Status;
use crate::config;
use crate::error::Error;

/// Exit code where not every service is healthy.
const UNHEALTHY: u8 = 3;

pub(super) async fn run(args: &Status) -> Result<ExitCode, Error> {
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    if args.placement.local {
        local::run(args, &config).await
    } else {
        hosts::run(args, &config).await
    }
}

fn exit_code(healthy: bool) -> ExitCode {
    if healthy { ExitCode::SUCCESS } else { ExitCode::from(UNHEALTHY) }
}
