//! The command line: one struct for each command, and the arguments that they share.

mod args;
mod bench;
mod change;
mod generate;
mod operate;
mod privacy;
mod token;

use clap::{ArgAction, Parser, Subcommand};

pub use args::{HostAddress, HostsArgs, Output, OutputArgs, PlacementArgs, StackArgs, TokenArgs};
pub use bench::{Bench, LoadSource, Rate};
pub use change::{Deploy, Down, Plan, Rollback, Seed, Unlock, Up};
pub use generate::{Completions, Init, Man};
pub use operate::{Backup, Doctor, Exec, History, Logs, Restore, Ssh, Status};
pub use privacy::{Privacy, PrivacyErase, PrivacyExport, PrivacySubject};
pub use token::{Token, TokenCreate, TokenList, TokenRevoke};

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed; the message says what failed and how to fix it
  2    bad command line; plan, --dry-run: there are changes
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

    /// Log API calls, commands on hosts and retries to standard error; -vv also shows scripts.
    /// `RUST_LOG` selects other parts and levels
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// Whether `-v` or `--verbose` is on the command line: `--version` ends the parsing before
/// these are counted.
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
    /// Update images and settings on running hosts without dropping a request; data is kept
    Deploy(Deploy),
    /// Revert to the images and settings from before the last deploy
    Rollback(Rollback),
    /// Show what was changed on the hosts, when and by whom
    History(History),
    /// Find out why a stack does not work, and how to fix it
    Doctor(Doctor),
    /// Show who holds the stack's lock, and break it
    Unlock(Unlock),
    /// Back up the data of all services to a file, without stopping them
    Backup(Backup),
    /// Restore the data of all services from a backup
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
    /// Export or erase what is stored about an email address
    #[command(subcommand)]
    Privacy(Privacy),
    /// Write an eventpost.yml that explains every key
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
