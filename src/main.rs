//! The `eventpost` command: parses, runs, and turns the outcome into an exit code.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use eventpost::cli::{self, Cli};
use eventpost::error::Error;
use eventpost::{logging, report, version};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) if asked.kind() == ErrorKind::DisplayVersion && cli::is_verbose() => {
            return end(report::line(version::details().trim_end()).map(|()| ExitCode::SUCCESS));
        }
        Err(error) => error.exit(),
    };
    logging::init(cli.verbose);
    end(run(cli))
}

fn run(cli: Cli) -> Result<ExitCode, Error> {
    let runtime = tokio::runtime::Runtime::new().map_err(Error::Runtime)?;
    let outcome = runtime.block_on(eventpost::run(cli));
    // A thread that still waits for an answer on the terminal does not keep the command alive.
    runtime.shutdown_background();
    outcome
}

fn end(outcome: Result<ExitCode, Error>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) => {
            error.print();
            error.exit_code()
        }
    }
}
