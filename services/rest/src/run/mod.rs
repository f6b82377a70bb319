//! Runs a service as a process: command line, logging, signals and exit codes. `main` of a
//! service is one call of [`run()`].
//!
//! ```text
//! args    the command line
//! serve   starts the service, and stops it at a signal
//! listen  the addresses that it is reached at
//! backup  backs up and restores the data
//! error   errors and their exit codes
//! ```

mod args;
mod backup;
mod error;
mod listen;
mod serve;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use rustix::fs::Mode;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::access_log::LogFormat;
use crate::control;
use crate::extension::Extension;
use crate::resource::Resource;
use args::{Args, Command};
use error::RunError;

/// Runs the service of a kind of resource until SIGTERM or SIGINT, and returns the
/// process's exit code. `version` is the service's own.
pub fn run<R: Resource, E: Extension>(version: &'static str, about: &'static str) -> ExitCode {
    let command = Args::<E::Args>::command().name(R::COLLECTION).version(version).about(about);
    let args = match Args::<E::Args>::from_arg_matches(&command.get_matches()) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    init_logging(args.serve.log_format);
    // Whatever a service writes is for its own user only, an extension's files too.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    match run_command::<R, E>(version, &args) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error}");
            error.exit_code()
        }
    }
}

fn run_command<R: Resource, E: Extension>(
    version: &'static str,
    args: &Args<E::Args>,
) -> Result<ExitCode, RunError> {
    match &args.command {
        None => serve::start::<R, E>(version, &args.serve, &args.extension)?,
        Some(Command::Ready { port }) => {
            let is_ready = client_runtime()?.block_on(control::is_ready(*port));
            return Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Some(Command::ReadOnly { data, seconds, off }) => {
            let time = (!off).then_some(*seconds);
            client_runtime()?.block_on(control::set_read_only(&data.data, time))?;
        }
        Some(Command::Backup(command)) => backup::run::<R>(command)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The runtime of commands that talk to the running service.
fn client_runtime() -> Result<tokio::runtime::Runtime, RunError> {
    // With a thread of its own: a backup waits in this one for what it reads from a database.
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().map_err(RunError::system)
}

/// Logs from level `info` on, or what `RUST_LOG` says, such as `warn,rest::access=debug`.
fn init_logging(format: LogFormat) {
    let variable = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let default = Targets::new().with_default(LevelFilter::INFO);
    let (levels, problem) = match variable.map(|text| text.parse::<Targets>()) {
        Some(Ok(levels)) => (levels, None),
        Some(Err(error)) => (default, Some(error)),
        None => (default, None),
    };
    let log = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let registry = tracing_subscriber::registry().with(levels);
    match format {
        LogFormat::Text => registry.with(log.with_ansi(false)).init(),
        LogFormat::Json => registry.with(log.json().flatten_event(true)).init(),
    }
    if let Some(error) = problem {
        tracing::warn!(%error, "RUST_LOG is not valid: logging from level info on");
    }
}
