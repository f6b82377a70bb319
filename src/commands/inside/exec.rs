//! `eventpost exec SERVICE -- COMMAND`: a command on a service's host.

use std::io::{stderr, stdout};
use std::process::ExitCode;
use std::time::Duration;

use ssh::{Command, Progress, quote};

use crate::cli::Exec;
use crate::error::Error;
use crate::session::{Connection, Session};
use crate::terminal::Outlet;

/// Nobody waits for longer.
const TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// The exit code of a shell for a command that a signal ended, without the signal's number.
const KILLED: u8 = 128;

pub(crate) async fn run(args: &Exec) -> Result<ExitCode, Error> {
    let session = Session::open(&args.stack, &(&args.hosts).into())?;
    session.run("the command on the host may still be running", execute(args, &session)).await
}

async fn execute(args: &Exec, session: &Session) -> Result<ExitCode, Error> {
    let found = session.service_host(&args.service).await?;
    let host = Connection::open_silently(&found).await?.host;
    // One word is a line for the host's shell; several are a command and its arguments.
    let line = match args.command.as_slice() {
        [line] => line.clone(),
        words => words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "),
    };
    let command = Command::new(line).in_login_shell().within(TIMEOUT);
    let (mut out, mut err) = (Outlet::new(stdout()), Outlet::new(stderr()));
    let output = host.stream("running the command", command, |progress| match progress {
        Progress::Stdout(bytes) => out.pass_on(&bytes),
        Progress::Stderr(bytes) => err.pass_on(&bytes),
        Progress::Line(_) | Progress::Sent(_) => {}
    });
    let output = output.await?;
    let code = u8::try_from(output.code).unwrap_or(1);
    Ok(ExitCode::from(if output.signal.is_some() { KILLED } else { code }))
}
