//! `eventpost logs`: what the services have said, and what they go on saying.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Stdout, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::try_join_all;
use ssh::{Command, Progress};

use super::{connect, named};
use crate::cli::Logs;
use crate::commands::endpoints::{self, ServiceHost};
use crate::config::{self, Config, Service};
use crate::docker;
use crate::error::Error;
use crate::local::{LocalError, StackFolder};
use crate::signals::Signals;
use crate::terminal::Outlet;

/// How long reading may take, and following, which ends with the connection.
const READ_LIMIT: Duration = Duration::from_secs(600);
const FOLLOW_LIMIT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often a local file is looked at for more.
const LOOK: Duration = Duration::from_millis(200);

pub(crate) async fn run(args: &Logs) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    let services: Vec<_> = match &args.service {
        Some(name) => vec![named(&config, name)?],
        None => config.services.iter().collect(),
    };
    let work = async {
        if args.placement.local {
            local(args, &config, &services).await
        } else {
            on_hosts(args, &config, &services).await
        }
    };
    match signals.race(work).await {
        Ok(outcome) => outcome.map(|()| ExitCode::SUCCESS),
        Err(caught) => Err(caught.into_error("the services go on")),
    }
}

async fn on_hosts(args: &Logs, config: &Config, services: &[&Service]) -> Result<(), Error> {
    let hosts = endpoints::hosts(config, &args.stack, &args.placement.hosts).await?;
    let wanted = hosts
        .iter()
        .filter(|host| services.iter().any(|service| service.name == host.service.name));
    try_join_all(wanted.map(|host| of_host(args, host, services.len() > 1))).await.map(drop)
}

async fn of_host(args: &Logs, found: &ServiceHost, is_one_of_several: bool) -> Result<(), Error> {
    let host = connect(found).await?;
    let line = docker::logs(&found.service, args.tail, args.follow);
    let limit = if args.follow { FOLLOW_LIMIT } else { READ_LIMIT };
    let mut lines = Lines::new(&found.service, is_one_of_several);
    let output = host.stream("reading the log", Command::new(line).within(limit), |what| {
        if let Progress::Output(bytes) = what {
            lines.take(&bytes);
        }
    });
    let output = output.await?;
    lines.end();
    if output.succeeded() {
        return Ok(());
    }
    let name = &found.service.name;
    Err(Error::NotRunning(format!("{name} has no log:\n{}", output.last_lines())))
}

async fn local(args: &Logs, config: &Config, services: &[&Service]) -> Result<(), Error> {
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let each = services.iter().map(|service| async {
        let log = stack.service(service.name.as_str()).log();
        let lines = Lines::new(service, services.len() > 1);
        let read = read(args, &log, lines).await;
        read.map_err(|source| Error::Local(LocalError::Io { path: log, source }))
    });
    try_join_all(each).await.map(drop)
}

/// Reads the end of a file, and what is added to it. One that has become shorter was begun
/// anew.
async fn read(args: &Logs, log: &Path, mut lines: Lines) -> io::Result<()> {
    let mut file = File::open(log)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    lines.take(last(&text, args.tail));
    if !args.follow {
        lines.end();
        return Ok(());
    }
    loop {
        tokio::time::sleep(LOOK).await;
        if file.metadata()?.len() < file.stream_position()? {
            file.seek(SeekFrom::Start(0))?;
        }
        text.clear();
        file.read_to_end(&mut text)?;
        lines.take(&text);
    }
}

/// The last lines of a text.
fn last(text: &[u8], count: u32) -> &[u8] {
    let mut ends = (0..text.len().saturating_sub(1)).rev().filter(|at| text[*at] == b'\n');
    let before = count.checked_sub(1).map(|n| ends.nth(n as usize));
    match before {
        None => &[],
        Some(at) => &text[at.map_or(0, |at| at + 1)..],
    }
}

/// Writes whole lines, each after the service's name where there are several services.
struct Lines {
    prefix: String,
    begun: Vec<u8>,
    outlet: Outlet<Stdout>,
}

impl Lines {
    fn new(service: &Service, is_one_of_several: bool) -> Self {
        let prefix = if is_one_of_several { format!("{} | ", service.name) } else { String::new() };
        Self { prefix, begun: Vec::new(), outlet: Outlet::new(stdout()) }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else { return };
        let rest = self.begun.split_off(end + 1);
        let whole = std::mem::replace(&mut self.begun, rest);
        let whole = self.prefixed(&whole);
        self.outlet.pass_on(&whole);
    }

    /// What is left is a line whose end is missing.
    fn end(&mut self) {
        if !self.begun.is_empty() {
            self.take(b"\n");
        }
    }

    fn prefixed(&self, whole: &[u8]) -> Vec<u8> {
        let lines = whole.split_inclusive(|byte| *byte == b'\n');
        lines.flat_map(|line| [self.prefix.as_bytes(), line].concat()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_found() {
        let text = b"one\ntwo\nthree\n";
        assert_eq!(last(text, 1), b"three\n");
        assert_eq!(last(text, 2), b"two\nthree\n");
        assert_eq!(last(text, 9), text);
        assert_eq!(last(text, 0), b"");
        assert_eq!(last(b"one\nbegun", 1), b"begun");
        assert_eq!(last(b"", 3), b"");
    }
}
