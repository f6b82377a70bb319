//! The `eventpost` command: parses, runs, and turns the outcome into an exit code.

use std::process::ExitCode;

use clap::Parser;

use eventpost::cli::Cli;
use eventpost::error::Error;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = tokio::runtime::Runtime::new()
        .map_err(Error::Runtime)
        .and_then(|runtime| runtime.block_on(eventpost::run(cli)));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            error.print();
            error.exit_code()
        }
    }
}
