//! `eventpost logs`: prints the ends of the logs, and follows them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Stdout, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::try_join_all;
use ssh::{Command, Progress};

use crate::cli::Logs;
use crate::config::Service;
use crate::docker;
use crate::error::Error;
use crate::local::LocalError;
use crate::session::{Connection, Placement, ServiceHost, Session};
use crate::terminal::Outlet;

/// How long reading may take, and following, which ends with the connection.
const READ_TIMEOUT: Duration = Duration::from_secs(600);
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often a local file is read for more.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

pub(crate) async fn run(args: &Logs) -> Result<ExitCode, Error> {
    let session = Session::open(&args.stack, &args.placement)?;
    let services: Vec<_> = match &args.service {
        Some(name) => vec![session.service(name)?],
        None => session.config.services.iter().collect(),
    };
    let work = async {
        match session.placement {
            Placement::Local => local(args, &session, &services).await,
            Placement::Hosts(_) | Placement::Ec2 => on_hosts(args, &session, &services).await,
        }
    };
    session.run("the services continue", work).await?;
    Ok(ExitCode::SUCCESS)
}

async fn on_hosts(args: &Logs, session: &Session, services: &[&Service]) -> Result<(), Error> {
    let hosts = session.service_hosts().await?;
    let wanted = hosts
        .iter()
        .filter(|host| services.iter().any(|service| service.name == host.service.name));
    try_join_all(wanted.map(|host| of_host(args, host, services.len() > 1))).await.map(drop)
}

async fn of_host(args: &Logs, found: &ServiceHost, is_one_of_several: bool) -> Result<(), Error> {
    let host = Connection::open_silently(found).await?.host;
    let line = docker::logs(&found.service, args.tail, args.follow);
    let timeout = if args.follow { FOLLOW_TIMEOUT } else { READ_TIMEOUT };
    let mut lines = Lines::new(&found.service, is_one_of_several);
    let output = host.stream("reading the log", Command::new(line).within(timeout), |progress| {
        if let Progress::Stdout(bytes) = progress {
            lines.push(&bytes);
        }
    });
    let output = output.await?;
    lines.end();
    if output.succeeded() {
        return Ok(());
    }
    let name = &found.service.name;
    Err(Error::Failed(format!("{name} has no log:\n{}", output.last_lines())))
}

async fn local(args: &Logs, session: &Session, services: &[&Service]) -> Result<(), Error> {
    let each = services.iter().map(|service| async {
        let log = session.folder.service(service.name.as_str()).log();
        let lines = Lines::new(service, services.len() > 1);
        let read = read(args, &log, lines).await;
        read.map_err(|source| Error::Local(LocalError::Io { path: log, source }))
    });
    try_join_all(each).await.map(drop)
}

/// Reads the end of a file, and what is added to it. One that has become shorter was replaced.
async fn read(args: &Logs, log: &Path, mut lines: Lines) -> io::Result<()> {
    let mut file = File::open(log)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    lines.push(last(&text, args.tail));
    if !args.follow {
        lines.end();
        return Ok(());
    }
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        if file.metadata()?.len() < file.stream_position()? {
            file.seek(SeekFrom::Start(0))?;
        }
        text.clear();
        file.read_to_end(&mut text)?;
        lines.push(&text);
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

/// Writes whole lines, each after the service's name if there are several services.
struct Lines {
    prefix: String,
    partial: Vec<u8>,
    outlet: Outlet<Stdout>,
}

impl Lines {
    fn new(service: &Service, is_one_of_several: bool) -> Self {
        let prefix = if is_one_of_several { format!("{} | ", service.name) } else { String::new() };
        Self { prefix, partial: Vec::new(), outlet: Outlet::new(stdout()) }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') else { return };
        let rest = self.partial.split_off(end + 1);
        let whole = std::mem::replace(&mut self.partial, rest);
        let whole = self.prefixed(&whole);
        self.outlet.pass_on(&whole);
    }

    /// Writes the last line if its end is missing.
    fn end(&mut self) {
        if !self.partial.is_empty() {
            self.push(b"\n");
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
