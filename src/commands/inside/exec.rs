//! `eventpost exec SERVICE -- COMMAND`: a command on a service's host.

use std::io::{stderr, stdout};
use std::process::ExitCode;
use std::time::Duration;

use ssh::{Command, Progress, quote};

use super::{connect, host_of};
use crate::cli::Exec;
use crate::config;
use crate::error::Error;
use crate::signals::Signals;
use crate::terminal::Outlet;

/// Whoever waits for longer has forgotten it.
const LIMIT: Duration = Duration::from_secs(24 * 3600);
/// What a shell says of a command that a signal ended, without the signal's number.
const KILLED: u8 = 128;

pub(crate) async fn run(args: &Exec) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    let work = async {
        let found = host_of(&config, &args.stack, &args.hosts.named, &args.service).await?;
        let host = connect(&found).await?;
        // One word is a line for the host's shell; several are a command and its arguments.
        let line = match args.command.as_slice() {
            [line] => line.clone(),
            words => words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "),
        };
        let command = Command::new(line).in_login_shell().within(LIMIT);
        let (mut out, mut err) = (Outlet::new(stdout()), Outlet::new(stderr()));
        let output = host.stream("running the command", command, |what| match what {
            Progress::Output(bytes) => out.pass_on(&bytes),
            Progress::Complaint(bytes) => err.pass_on(&bytes),
            Progress::Line(_) | Progress::Sent(_) => {}
        });
        let output = output.await?;
        let code = u8::try_from(output.code).unwrap_or(1);
        Ok(ExitCode::from(if output.signal.is_some() { KILLED } else { code }))
    };
    let outcome = signals.race(work).await;
    outcome.map_err(|caught| caught.into_error("the command on the host may run on"))?
}
