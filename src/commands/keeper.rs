//! Finds where a stack's lease is kept: in the account, or on the stack's existing hosts.

use std::time::Duration;

use ec2::Ec2;
use futures_util::future::try_join_all;
use support::event::Reporter;
use support::wait::Deadline;

use crate::cli::{self, HostAddress};
use crate::commands::{endpoints, hosts};
use crate::config::Config;
use crate::error::Error;
use crate::lease::Keeper;
use crate::signals::Signals;

/// Machines that exist answer at once.
const SSH_LIMIT: Duration = Duration::from_secs(60);

/// The account that the stack's hosts are in, and that keeps its lease.
pub(super) async fn account(
    config: &Config,
    signals: &mut Signals,
) -> Result<(Ec2, Keeper), Error> {
    let connected = signals.race(Ec2::connect(config.region.as_deref())).await;
    let ec2 = connected.map_err(|caught| caught.into_error("nothing was changed"))??;
    let keeper = Keeper::Account { ec2: ec2.clone(), stack: config.stack.to_string() };
    Ok((ec2, keeper))
}

/// Who keeps the lease of the stack.
pub(super) async fn keeper(
    config: &Config,
    stack: &cli::Stack,
    arguments: &[HostAddress],
    reporter: Reporter<'_>,
) -> Result<Keeper, Error> {
    if hosts::named(config, arguments)?.is_empty() {
        let ec2 = Ec2::connect(config.region.as_deref()).await?;
        return Ok(Keeper::Account { ec2, stack: config.stack.to_string() });
    }
    let found = endpoints::hosts(config, stack, arguments).await?;
    // Connections of their own: work occupies the others.
    let connect =
        found.iter().map(|found| ssh::connect(&found.target, Deadline::after(SSH_LIMIT), reporter));
    Ok(Keeper::Hosts(try_join_all(connect).await?))
}
