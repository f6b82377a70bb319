//! The commands that look into a stack, and those that copy its data.

use std::path::PathBuf;

use clap::Args;

use super::args::{HostsArgs, OutputArgs, PlacementArgs, StackArgs, TokenArgs};

/// `eventpost status`
#[derive(Debug, Args)]
pub struct Status {
    /// Where the stack lives
    #[command(flatten)]
    pub placement: PlacementArgs,

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

/// `eventpost doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// Where the stack lives
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// Write everything that helps to find the cause to an archive, without secrets
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,

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

/// `eventpost history`
#[derive(Debug, Args)]
pub struct History {
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

/// `eventpost backup`
#[derive(Debug, Args)]
pub struct Backup {
    /// File to write or replace
    #[arg(value_name = "FILE")]
    pub backup: PathBuf,

    /// Where the stack lives
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// How the result is printed
    #[command(flatten)]
    pub output: OutputArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}

/// `eventpost restore`
#[derive(Debug, Args)]
pub struct Restore {
    /// Backup to restore
    #[arg(value_name = "FILE")]
    pub backup: PathBuf,

    /// Where the stack lives
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// Replace data without asking
    #[arg(short, long)]
    pub yes: bool,

    /// How the result is printed
    #[command(flatten)]
    pub output: OutputArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}

/// `eventpost logs`
#[derive(Debug, Args)]
// Everybody expects `logs -f` to follow; the file is `--file` here.
#[command(mut_arg("file", |file| file.short(None)))]
pub struct Logs {
    /// Service whose logs to print [default: all]
    pub service: Option<String>,

    /// Follow the logs
    #[arg(short, long)]
    pub follow: bool,

    /// Number of lines to print from the end of each log
    #[arg(long, value_name = "LINES", default_value_t = 100)]
    pub tail: u32,

    /// Where the stack lives
    #[command(flatten)]
    pub placement: PlacementArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}

/// `eventpost exec`
#[derive(Debug, Args)]
pub struct Exec {
    /// Service whose host to connect to
    pub service: String,

    /// Command and its arguments, or one line for the host's shell
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,

    /// Where the stack lives
    #[command(flatten)]
    pub hosts: HostsArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}

/// `eventpost ssh`
#[derive(Debug, Args)]
pub struct Ssh {
    /// Service whose host to connect to
    pub service: String,

    /// Where the stack lives
    #[command(flatten)]
    pub hosts: HostsArgs,

    /// The stack
    #[command(flatten)]
    pub stack: StackArgs,
}
