//! The command line: one struct for each command.

mod token;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use loadtest::script::Override;
use support::http::ServiceUrl;
use support::wait::{self, in_words};

use crate::config::Name;

pub use token::{Token, TokenCreate, TokenList, TokenRevoke};

/// Hosts are set up in less, and cost a whole minute at the least.
const SHORTEST_TTL: Duration = Duration::from_secs(60);
const LONGEST_TTL: Duration = Duration::from_secs(366 * 86400);

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed; the message says what failed and how to fix it
  2    bad command line; plan: there are changes
  3    status, doctor: not healthy; bench: a pass/fail criterion failed
  78   eventpost.yml, a fixtures file or a load script is not valid
  130  interrupted (143: terminated); the message says what remains";

/// Deploys the EventPost services, events and notifications, and keeps them running
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,

    /// Log API calls, commands on hosts and retries to standard error; -vv shows scripts, too.
    /// `RUST_LOG` selects other parts and levels
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// Whether `-v` or `--verbose` is on the command line: what asks for the version ends the
/// parsing before these are counted.
pub fn is_verbose() -> bool {
    std::env::args().skip(1).any(|argument| {
        argument == "--verbose"
            || argument.strip_prefix('-').is_some_and(|rest| {
                !rest.is_empty() && rest.chars().all(|c| c == 'v' || c == 'V') && rest.contains('v')
            })
    })
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Launch hosts, run the services on them, wait until they are ready and seed them
    Up(Up),
    /// Show what `up` would change; exit code 2 if there are changes
    Plan(Plan),
    /// Show the state of each service; exit code 0 only if all are healthy
    Status(Status),
    /// Add missing fixtures to running services
    Seed(Seed),
    /// Run a load test and report the results
    Bench(Bench),
    /// Update images and settings on running hosts, which keep their data, without refusing a
    /// request
    Deploy(Change),
    /// Go back to the images and settings from before the last deploy
    Rollback(Change),
    /// Show what was done to the hosts, when and by whom
    History(Change),
    /// Find what is wrong, from the credentials to the container: the cause and how to fix it
    Doctor(Doctor),
    /// Show who is changing the stack, and break their lock
    Unlock(Unlock),
    /// Copy the data of all services to a file, while they run
    Backup(Backup),
    /// Replace the data of all services by those of a backup
    Restore(Restore),
    /// Print the logs of the services
    Logs(Logs),
    /// Run a command on a service's host
    Exec(Exec),
    /// Open a shell on a service's host
    Ssh(Ssh),
    /// Manage the access tokens that the services accept
    #[command(subcommand)]
    Token(Token),
    /// Write a first eventpost.yml, with every key explained
    Init(Init),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Write the manual pages
    Man(Man),
    /// Print the JSON schema of eventpost.yml
    Schema,
    /// Terminate the stack's hosts, or stop local services and keep their data
    Down(Down),
}

/// Which deployment a command is about.
#[derive(Debug, Clone, Args)]
pub struct Stack {
    /// The deployment's description; without one the built-in default applies
    #[arg(
        short,
        long,
        value_name = "FILE",
        help = "The deployment's description [default: \
        eventpost.yml here if there is one, else the built-in one]"
    )]
    pub file: Option<PathBuf>,

    /// Another name for the stack than the file's: the same deployment beside itself
    #[arg(long = "stack", value_name = "NAME")]
    pub name: Option<Name>,

    /// Where local services keep data and logs
    #[arg(
        long,
        value_name = "DIR",
        help = "Folder for local data, logs, keys and access tokens [default: \
        $XDG_STATE_HOME/eventpost or ~/.local/state/eventpost]"
    )]
    pub state_dir: Option<PathBuf>,
}

/// The access token that a command sends.
#[derive(Debug, Clone, Default, Args)]
pub struct TokenArgs {
    /// File that holds the access token to send [default: the variable `EVENTPOST_TOKEN`, else
    /// the stack's own token in the state folder]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Where the services are that a command is about: on EC2, unless it is told otherwise.
#[derive(Debug, Clone, Default, Args)]
pub struct PlacementArgs {
    /// The services are processes of this machine
    #[arg(long, conflicts_with = "hosts")]
    pub local: bool,

    /// The hosts to use instead of EC2, as in events=10.0.0.1,notifications=10.0.0.2
    #[arg(long, value_name = "SERVICE=ADDRESS,…", value_delimiter = ',')]
    pub hosts: Vec<HostAddress>,
}

/// As [`PlacementArgs`], of a command that is about hosts alone.
#[derive(Debug, Clone, Default, Args)]
pub struct HostsArgs {
    /// The hosts to use instead of EC2, as in events=10.0.0.1,notifications=10.0.0.2
    #[arg(long = "hosts", value_name = "SERVICE=ADDRESS,…", value_delimiter = ',')]
    pub named: Vec<HostAddress>,
}

/// How a command prints its result.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    /// How the result looks on standard output
    #[arg(long = "output", value_enum, default_value_t = Output::Text)]
    pub format: Output,
}

/// `SERVICE=ADDRESS` on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAddress {
    /// The service.
    pub service: String,
    /// Where its machine is.
    pub address: String,
}

impl FromStr for HostAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (service, address) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` must be like events=203.0.113.10"))?;
        Ok(Self { service: service.into(), address: address.into() })
    }
}

/// How a command's result looks on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table to read
    Text,
    /// One JSON document
    Json,
}

/// `eventpost up`
#[derive(Debug, Args)]
pub struct Up {
    /// Where the services are
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// Start with the fixtures alone: the data of the old hosts are lost
    #[arg(long, conflicts_with_all = ["local", "hosts"])]
    pub fresh: bool,

    /// End the old hosts before the new ones are launched, for accounts with a small quota.
    /// Nothing is left then to carry data over from
    #[arg(long, requires = "fresh")]
    pub terminate_first: bool,

    /// Terminate the new hosts, with their data, after a time such as 4h or 90m
    #[arg(long, value_name = "TIME", value_parser = ttl, conflicts_with_all = ["local", "hosts"])]
    pub ttl: Option<Duration>,

    /// Show what would change, and change nothing: the same as `plan`
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask before replacing hosts that hold data
    #[arg(short, long)]
    pub yes: bool,

    /// Port of the first service; the others follow
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    pub port_base: u16,

    /// Do not add fixtures
    #[arg(long)]
    pub no_seed: bool,

    /// How the result looks
    #[command(flatten)]
    pub output: OutputArgs,

    /// What it sends to services
    #[command(flatten)]
    pub token: TokenArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

/// A time that a host can be set up and be of use in.
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

/// `eventpost plan`
#[derive(Debug, Args)]
pub struct Plan {
    /// Where the services are
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// Port of the first service of this machine; the others follow
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    pub port_base: u16,

    /// How the result looks
    #[command(flatten)]
    pub output: OutputArgs,

    /// What it sends to services
    #[command(flatten)]
    pub token: TokenArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

impl From<Plan> for Up {
    fn from(plan: Plan) -> Self {
        Self {
            placement: plan.placement,
            fresh: false,
            terminate_first: false,
            ttl: None,
            dry_run: true,
            yes: false,
            port_base: plan.port_base,
            no_seed: false,
            output: plan.output,
            token: plan.token,
            stack: plan.stack,
        }
    }
}

/// `eventpost status`
#[derive(Debug, Args)]
pub struct Status {
    /// Where the services are
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// How the result looks
    #[command(flatten)]
    pub output: OutputArgs,

    /// What it sends to services
    #[command(flatten)]
    pub token: TokenArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

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

    /// Send so many requests a second whether or not they are answered (an open loop), in
    /// each execution or in one scenario's; may be repeated
    #[arg(long, value_name = "[SCENARIO=]N")]
    pub rate: Vec<Rate>,

    /// Change a value of the script, as in execution.0.hold-for=5s; may be repeated
    #[arg(short = 'o', long = "option", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,

    /// How the result looks
    #[command(flatten)]
    pub output: OutputArgs,

    /// Write the result as a page that a browser shows, with pictures
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write the result as comma-separated values
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Compare with an earlier result, which `--output json` printed
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,

    /// What it sends to services
    #[command(flatten)]
    pub token: TokenArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
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
    /// The scenario; without, all of them.
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

/// `eventpost seed`
#[derive(Debug, Args)]
pub struct Seed {
    /// Seed the services that run on this machine instead of those on EC2
    #[arg(long, conflicts_with = "url")]
    pub local: bool,

    /// Seed the service at a URL, as in events=http://127.0.0.1:8000; may be repeated
    #[arg(long, value_name = "SERVICE=URL")]
    pub url: Vec<ServiceUrl>,

    /// Add every fixture, even one that is there already
    #[arg(long)]
    pub force: bool,

    /// How the result looks
    #[command(flatten)]
    pub output: OutputArgs,

    /// What it sends to services
    #[command(flatten)]
    pub token: TokenArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

/// `eventpost deploy`, `eventpost rollback` and `eventpost history`
#[derive(Debug, Args)]
pub struct Change {
    /// Where the services are
    #[command(flatten)]
    pub hosts: HostsArgs,

    /// How the result looks
    #[command(flatten)]
    pub output: OutputArgs,

    /// What it sends to services
    #[command(flatten)]
    pub token: TokenArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

/// `eventpost doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// Where the services are
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// Write everything that may help into an archive, without secrets
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,

    /// How the result looks
    #[command(flatten)]
    pub output: OutputArgs,

    /// What it sends to services
    #[command(flatten)]
    pub token: TokenArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

/// `eventpost unlock`
#[derive(Debug, Args)]
pub struct Unlock {
    /// Where the services are
    #[command(flatten)]
    pub hosts: HostsArgs,

    /// Do not ask before breaking a lock that has not expired
    #[arg(short, long)]
    pub yes: bool,

    /// How the result looks
    #[command(flatten)]
    pub output: OutputArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

/// `eventpost backup`
#[derive(Debug, Args)]
pub struct Backup {
    /// The file to write, or to replace
    #[arg(value_name = "FILE")]
    pub backup: PathBuf,

    /// Where the services are
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// How the result looks
    #[command(flatten)]
    pub output: OutputArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

/// `eventpost restore`
#[derive(Debug, Args)]
pub struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    pub backup: PathBuf,

    /// Where the services are
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// Do not ask before replacing data
    #[arg(short, long)]
    pub yes: bool,

    /// How the result looks
    #[command(flatten)]
    pub output: OutputArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

/// `eventpost logs`
#[derive(Debug, Args)]
// Everybody expects `logs -f` to follow; the file is `--file` here.
#[command(mut_arg("file", |file| file.short(None)))]
pub struct Logs {
    /// The service [default: all]
    pub service: Option<String>,

    /// Follow the logs
    #[arg(short, long)]
    pub follow: bool,

    /// Number of lines to print from the end of each log
    #[arg(long, value_name = "LINES", default_value_t = 100)]
    pub tail: u32,

    /// Where the services are
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

/// `eventpost exec`
#[derive(Debug, Args)]
pub struct Exec {
    /// The service whose host it is
    pub service: String,

    /// The command and its arguments, or one line for the host's shell
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,

    /// Where the services are
    #[command(flatten)]
    pub hosts: HostsArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

/// `eventpost ssh`
#[derive(Debug, Args)]
pub struct Ssh {
    /// The service whose host it is
    pub service: String,

    /// Where the services are
    #[command(flatten)]
    pub hosts: HostsArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

/// `eventpost init`
#[derive(Debug, Args)]
pub struct Init {
    /// The file to write; one that exists is left alone
    #[arg(value_name = "FILE", default_value = "eventpost.yml")]
    pub file: PathBuf,

    /// The stack's name
    #[arg(long = "stack", value_name = "NAME")]
    pub name: Option<Name>,
}

/// `eventpost completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `eventpost man`
#[derive(Debug, Args)]
pub struct Man {
    /// The folder to write them to
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// `eventpost down`
#[derive(Debug, Args)]
pub struct Down {
    /// Stop the processes of this machine
    #[arg(long)]
    pub local: bool,

    /// Remove data and logs of local services too
    #[arg(long, requires = "local")]
    pub purge: bool,

    /// Keep the security group and the key pairs
    #[arg(long, conflicts_with = "local")]
    pub keep_network: bool,

    /// Do not ask before removing data
    #[arg(short, long)]
    pub yes: bool,

    /// How the result looks
    #[command(flatten)]
    pub output: OutputArgs,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
