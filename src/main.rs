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
    if let Err(problem) = logging::init(cli.verbose) {
        return end(Err(Error::Request(problem)));
    }
    let outcome = tokio::runtime::Runtime::new()
        .map_err(Error::Runtime)
        .and_then(|runtime| runtime.block_on(eventpost::run(cli)));
    end(outcome)
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
