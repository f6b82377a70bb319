//! The command `bench`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use loadtest::script::Override;
use support::http::ServiceUrl;

use super::args::{HostAddress, OutputArgs, StackArgs, TokenArgs};

/// `eventpost bench`
#[derive(Debug, Args)]
pub struct Bench {
    /// Load script, in Taurus syntax
    #[arg(
        value_name = "FILE",
        help = "Load script, in Taurus syntax [default: performance_testing.yml here if there is \
        one, else the built-in one]"
    )]
    pub script: Option<PathBuf>,

    /// Test the services of this machine instead of the deployed stack
    #[arg(long, conflicts_with_all = ["url", "as_written", "hosts", "from"])]
    pub local: bool,

    /// Test the service at a URL instead, as in events=http://HOST:PORT; may be repeated
    #[arg(long, value_name = "SERVICE=URL", conflicts_with_all = ["hosts", "from"])]
    pub url: Vec<ServiceUrl>,

    /// Send requests to the addresses in the script
    #[arg(long, conflicts_with_all = ["url", "hosts", "from"])]
    pub as_written: bool,

    /// Test services on existing hosts instead of EC2
    #[arg(long, value_name = "SERVICE=ADDRESS,…", value_delimiter = ',')]
    pub hosts: Vec<HostAddress>,

    /// Where requests are sent from: this machine, the services' own hosts, or both in turn
    #[arg(long, value_enum, default_value_t = LoadSource::Laptop)]
    pub from: LoadSource,

    /// Send N requests a second, answered or not (an open loop), in each execution or in those of
    /// one scenario; may be repeated
    #[arg(long, value_name = "[SCENARIO=]N")]
    pub rate: Vec<Rate>,

    /// Override a value of the script, as in execution.0.hold-for=5s; may be repeated
    #[arg(short = 'o', long = "option", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,

    /// How the result is printed
    #[command(flatten)]
    pub output: OutputArgs,

    /// Write the results as an HTML page with charts
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write the results as comma-separated values
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Compare with earlier results, as printed by `--output json`
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,

    /// The token to send
    #[command(flatten)]
    pub token: TokenArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}

/// Where the requests of a load test are sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoadSource {
    /// This machine, to measure the services and the network
    Laptop,
    /// Each service's own host, to measure the service alone
    Host,
    /// This machine first, then the hosts
    Both,
}

/// `[SCENARIO=]N` on the command line.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// The scenario; all of them without.
    pub scenario: Option<String>,
    /// Requests a second.
    pub per_second: f64,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scenario, number) = match text.rsplit_once('=') {
            Some((scenario, number)) => (Some(scenario.into()), number),
            None => (None, text),
        };
        let per_second = number.parse().ok().filter(|n: &f64| *n > 0.0 && *n <= 10_000_000.0);
        let per_second =
            per_second.ok_or_else(|| format!("`{text}` must be like 2000 or events-read=2000"))?;
        Ok(Self { scenario, per_second })
    }
}
