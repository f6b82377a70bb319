//! This module owns the command line: one struct for each command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::http::ServiceUrl;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    something failed; the message says what and how to mend it
  2    bad command line
  3    status: not every service is healthy
  78   eventpost.yml or a fixtures file is not valid
  130  interrupted (143: terminated), and what was begun is undone";

/// Deploys the EventPost services, events and notifications, and keeps them running
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the services, wait until they are ready and seed them; harmless when they run
    Up(Up),
    /// Say how each service is; exit code 0 only when all are healthy
    Status(Status),
    /// Put the fixtures into the running services, without doubling what is there
    Seed(Seed),
    /// Stop the services and keep their data
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

    /// Where local services keep data and logs
    #[arg(
        long,
        value_name = "DIR",
        help = "Folder for data and logs of local services [default: \
        $XDG_STATE_HOME/eventpost or ~/.local/state/eventpost]"
    )]
    pub state_dir: Option<PathBuf>,
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
    /// Run the services as processes of this machine
    #[arg(long, required = true)]
    pub local: bool,

    /// Port of the first service; the others follow
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    pub port_base: u16,

    /// Leave the services as empty as they are
    #[arg(long)]
    pub no_seed: bool,

    /// How the result looks on standard output
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

/// `eventpost status`
#[derive(Debug, Args)]
pub struct Status {
    /// Ask about the processes of this machine
    #[arg(long, required = true)]
    pub local: bool,

    /// How the result looks on standard output
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

/// `eventpost seed`
#[derive(Debug, Args)]
pub struct Seed {
    /// Seed the services that run on this machine
    #[arg(long, required_unless_present = "url", conflicts_with = "url")]
    pub local: bool,

    /// Seed the service at a URL, as in events=http://127.0.0.1:8000; may be repeated
    #[arg(long, value_name = "SERVICE=URL")]
    pub url: Vec<ServiceUrl>,

    /// Add every fixture, even one that is there already
    #[arg(long)]
    pub force: bool,

    /// How the result looks on standard output
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,

    /// Which deployment
    #[command(flatten)]
    pub stack: Stack,
}

/// `eventpost down`
#[derive(Debug, Args)]
pub struct Down {
    /// Stop the processes of this machine
    #[arg(long, required = true)]
    pub local: bool,

    /// Remove data and logs too
    #[arg(long)]
    pub purge: bool,

    /// Do not ask before removing data
    #[arg(short, long)]
    pub yes: bool,

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
