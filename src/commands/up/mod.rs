//! `eventpost up`: on this machine, on EC2, or on machines that exist.

mod ec2;
mod existing;
mod local;
mod row;

use std::process::ExitCode;

use crate::cli::Up;
use crate::config;
use crate::error::Error;

pub(super) use ec2::launch_plan;
pub(super) use local::changes as local_changes;

use super::hosts;

pub(super) async fn run(args: &Up) -> Result<ExitCode, Error> {
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    if args.local {
        return local::run(args, &config).await;
    }
    let hosts = hosts::named(&config, &args.hosts)?;
    if hosts.is_empty() {
        ec2::run(args, &config).await
    } else {
        existing::run(args, &config, &hosts).await
    }
}
