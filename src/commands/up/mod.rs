//! `eventpost up`: on this machine, on EC2, or on machines that exist.

mod ec2;
mod existing;
mod local;
mod row;

use std::process::ExitCode;

use support::event::{EventSink, Reporter};

use crate::cli::Up;
use crate::config;
use crate::error::Error;

pub(super) use ec2::launch_plan;
pub(super) use local::changes as local_changes;

use super::hosts;

pub(super) async fn run(args: &Up) -> Result<ExitCode, Error> {
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    if args.placement.local {
        return local::run(args, &config).await;
    }
    config.check_for_hosts()?;
    let hosts = hosts::named(&config, &args.placement.hosts)?;
    if hosts.is_empty() {
        ec2::run(args, &config).await
    } else {
        existing::run(args, &config, &hosts).await
    }
}

/// Tells how the services get HTTPS, which they do not have by themselves.
fn tell_about_https(sink: &dyn EventSink) {
    Reporter::new(sink, "https").done(
        "the services answer by plain HTTP; for HTTPS, put a proxy or load balancer that terminates TLS \
         in front of them: docs/security.md, HTTPS",
    );
}
