//! The commands that change a stack, and `plan`, which shows what `up` changes.

use std::time::Duration;

use clap::Args;
use support::http::ServiceUrl;
use support::wait::{self, in_words};

use super::args::{HostsArgs, OutputArgs, PlacementArgs, StackArgs, TokenArgs};

/// Hosts are set up in less, and cost a whole minute at the least.
const SHORTEST_TTL: Duration = Duration::from_secs(60);
const LONGEST_TTL: Duration = Duration::from_secs(366 * 86400);

/// `eventpost plan`
#[derive(Debug, Args)]
pub struct Plan {
    /// Where the stack lives
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// Start with only the fixtures; the data on the old hosts is lost, but data in a PostgreSQL
    /// database is kept
    #[arg(long, conflicts_with_all = ["local", "hosts"])]
    pub fresh: bool,

    /// Terminate the old hosts before the new ones are launched, for accounts with a small
    /// quota; their data is lost
    #[arg(long, requires = "fresh")]
    pub terminate_first: bool,

    /// Do not add fixtures
    #[arg(long)]
    pub no_seed: bool,

    /// Port of the first local service; the others get the following ports
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    pub port_base: u16,

    /// How the result is printed
    #[command(flatten)]
    pub output: OutputArgs,

    /// The token to send
    #[command(flatten)]
    pub token: TokenArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}

/// `eventpost up`
#[derive(Debug, Args)]
pub struct Up {
    /// What `plan` has, too
    #[command(flatten)]
    pub plan: Plan,

    /// Terminate the new hosts, with their data, after a time such as 4h or 90m
    #[arg(long, value_name = "TIME", value_parser = ttl, conflicts_with_all = ["local", "hosts"])]
    pub ttl: Option<Duration>,

    /// Print the plan and change nothing, as `plan` does
    #[arg(long)]
    pub dry_run: bool,

    /// Replace hosts that hold data without asking
    #[arg(short, long)]
    pub yes: bool,
}

/// Parses a time in which a host can be set up and used.
fn ttl(text: &str) -> Result<Duration, String> {
    let time = wait::parse(text).ok_or_else(|| format!("`{text}` must be like 4h or 1h30m"))?;
    if time < SHORTEST_TTL || time > LONGEST_TTL {
        return Err(format!(
            "`{text}` must be from {} to {}",
            in_words(SHORTEST_TTL),
            in_words(LONGEST_TTL)
        ));
    }
    Ok(time)
}

/// `eventpost down`
#[derive(Debug, Args)]
pub struct Down {
    /// Stop the processes of this machine instead of terminating hosts on EC2
    #[arg(long)]
    pub local: bool,

    /// Also remove data and logs of local services
    #[arg(long, requires = "local")]
    pub purge: bool,

    /// Keep the security group and the key pairs
    #[arg(long, conflicts_with = "local")]
    pub keep_network: bool,

    /// Keep the Elastic IP addresses, which cost money until they are released
    #[arg(long, conflicts_with = "local")]
    pub keep_address: bool,

    /// Remove data without asking
    #[arg(short, long)]
    pub yes: bool,

    /// How the result is printed
    #[command(flatten)]
    pub output: OutputArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}

/// `eventpost deploy`
#[derive(Debug, Args)]
pub struct Deploy {
    /// Where the stack lives
    #[command(flatten)]
    pub hosts: HostsArgs,

    /// Print the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// How the result is printed
    #[command(flatten)]
    pub output: OutputArgs,

    /// The token to send
    #[command(flatten)]
    pub token: TokenArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}

/// `eventpost rollback`
#[derive(Debug, Args)]
pub struct Rollback {
    /// Where the stack lives
    #[command(flatten)]
    pub hosts: HostsArgs,

    /// How the result is printed
    #[command(flatten)]
    pub output: OutputArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}

/// `eventpost seed`
#[derive(Debug, Args)]
pub struct Seed {
    /// Where the stack lives
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// Seed the service at a URL, as in events=http://127.0.0.1:8000; may be repeated
    #[arg(long, value_name = "SERVICE=URL", conflicts_with_all = ["local", "hosts"])]
    pub url: Vec<ServiceUrl>,

    /// Add every fixture, even if it exists already
    #[arg(long)]
    pub force: bool,

    /// How the result is printed
    #[command(flatten)]
    pub output: OutputArgs,

    /// The token to send
    #[command(flatten)]
    pub token: TokenArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}

/// `eventpost unlock`
#[derive(Debug, Args)]
pub struct Unlock {
    /// Where the stack lives
    #[command(flatten)]
    pub hosts: HostsArgs,

    /// Break an unexpired lock without asking
    #[arg(short, long)]
    pub yes: bool,

    /// How the result is printed
    #[command(flatten)]
    pub output: OutputArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}
