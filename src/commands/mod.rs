//! The commands, each a pipeline of the modules that do the work.

mod backup;
mod bench;
mod change;
mod destination;
mod doctor;
mod down;
mod generate;
mod inside;
mod operations;
mod plan;
mod privacy;
mod restore;
mod seed;
mod status;
mod token;
mod unlock;
mod up;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::error::Error;

/// Runs a command until it is done or a signal interrupts it.
pub async fn run(cli: Cli) -> Result<ExitCode, Error> {
    match cli.command {
        Command::Up(args) if args.dry_run => plan::run(&args.plan).await,
        Command::Up(args) => up::run(&args).await,
        Command::Plan(args) => plan::run(&args).await,
        Command::Status(args) => status::run(&args).await,
        Command::Seed(args) => seed::run(&args).await,
        Command::Down(args) => down::run(&args).await,
        Command::Deploy(args) => change::deploy(&args).await,
        Command::Rollback(args) => change::rollback(&args).await,
        Command::History(args) => change::history(&args).await,
        Command::Doctor(args) => doctor::run(&args).await,
        Command::Unlock(args) => unlock::run(&args).await,
        Command::Backup(args) => backup::run(&args).await,
        Command::Restore(args) => restore::run(&args).await,
        Command::Logs(args) => inside::logs(&args).await,
        Command::Exec(args) => inside::exec(&args).await,
        Command::Ssh(args) => inside::ssh(&args).await,
        Command::Token(args) => token::run(&args),
        Command::Privacy(args) => privacy::run(&args).await,
        Command::Init(args) => generate::init(&args).await,
        Command::Completions(args) => generate::completions(&args),
        Command::Man(args) => generate::man(&args),
        Command::Schema => generate::schema(),
        Command::Bench(args) => bench::run(&args).await,
    }
}
