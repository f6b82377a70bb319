//! A handle to a host, whose session lives in a thread of its own because the SSH library
//! blocks.

use std::fmt;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use support::event::Reporter;
use support::http::{Opening, Tunnel};
use support::wait::in_words;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info};

use super::{Command, HostError, Output, Progress, Transport, TransportError};

/// A connected host.
#[derive(Clone)]
pub struct Host {
    name: String,
    jobs: mpsc::Sender<Job>,
}

/// Work for the session.
enum Job {
    Command {
        command: Command,
        progress: mpsc::Sender<Progress>,
        reply: oneshot::Sender<Result<Output, TransportError>>,
    },
    Tunnel {
        port: u16,
        stream: UnixStream,
        opened: oneshot::Sender<Result<(), TransportError>>,
    },
}

impl Host {
    /// A host that is reached by `transport`.
    pub fn new(name: &str, mut transport: impl Transport) -> Self {
        let (jobs, mut queue) = mpsc::channel::<Job>(16);
        // It ends with the last handle. It is not joined: the process may end while a command
        // is still running.
        thread::spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                job.run(&mut transport);
            }
        });
        Self { name: name.into(), jobs }
    }

    /// The host's name, as errors call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A port of the host itself.
    pub fn port(&self, port: u16) -> HostPort {
        HostPort { host: self.clone(), port }
    }

    /// Runs a command that must succeed. `doing` completes "while …" and "… failed".
    pub async fn run(&self, doing: &'static str, command: Command) -> Result<Output, HostError> {
        self.run_watching(doing, command, |_| ()).await
    }

    /// Runs a command that must succeed, and reports each line that it prints.
    pub async fn run_reporting(
        &self,
        doing: &'static str,
        command: Command,
        reporter: Reporter<'_>,
    ) -> Result<Output, HostError> {
        let total = command.length();
        let report = |what| match what {
            Progress::Line(line) => reporter.detail(format!("{doing}: {line}")),
            Progress::Sent(bytes) => reporter.bytes(doing, bytes as u64, total),
            Progress::Stdout(_) | Progress::Stderr(_) => {}
        };
        self.run_watching(doing, command, report).await
    }

    /// Runs a command that must succeed, and reports its progress.
    pub async fn run_watching(
        &self,
        doing: &'static str,
        command: Command,
        mut report: impl FnMut(Progress),
    ) -> Result<Output, HostError> {
        let output = self.exec(doing, command, &mut report).await?;
        if output.succeeded() { Ok(output) } else { Err(self.failed(doing, &output)) }
    }

    /// The error for a command that failed.
    pub fn failed(&self, doing: &'static str, output: &Output) -> HostError {
        HostError::Failed {
            host: self.name.clone(),
            doing,
            status: output.status(),
            output: output.last_lines(),
        }
    }

    /// Runs a command that may fail, and streams its output.
    pub async fn stream(
        &self,
        doing: &'static str,
        command: Command,
        mut take: impl FnMut(Progress),
    ) -> Result<Output, HostError> {
        self.exec(doing, command.streaming(), &mut take).await
    }

    /// Runs a command that may fail; only a broken connection is an error.
    pub async fn attempt(
        &self,
        doing: &'static str,
        command: Command,
    ) -> Result<Output, HostError> {
        self.exec(doing, command, &mut |_| ()).await
    }

    /// Connects to a port of the host itself through the SSH connection, so that the traffic is
    /// encrypted and no port need be open. Other work on this handle waits until the stream is
    /// dropped.
    pub async fn tunnel(&self, port: u16) -> Result<tokio::net::UnixStream, HostError> {
        const DOING: &str = "connecting to the service through SSH";
        let broken =
            |cause: String| HostError::Broken { host: self.name.clone(), doing: DOING, cause };
        let lost = || broken("the connection was lost".into());
        let (near, far) = UnixStream::pair().map_err(|error| broken(error.to_string()))?;
        let (opened, answer) = oneshot::channel();
        let job = Job::Tunnel { port, stream: far, opened };
        self.jobs.send(job).await.map_err(|_| lost())?;
        answer.await.map_err(|_| lost())?.map_err(|error| broken(error.to_string()))?;
        let stream = near.set_nonblocking(true).and_then(|()| near.try_into());
        stream.map_err(|error| broken(error.to_string()))
    }

    async fn exec(
        &self,
        doing: &'static str,
        command: Command,
        report: &mut dyn FnMut(Progress),
    ) -> Result<Output, HostError> {
        let broken = |cause: String| HostError::Broken { host: self.name.clone(), doing, cause };
        let lost = || broken("the connection was lost".into());
        let start = Instant::now();
        debug!("{}: {doing}: {}", self.name, command.log_text());
        let (reply, mut answer) = oneshot::channel();
        let (progress, mut updates) = mpsc::channel(64);
        let job = Job::Command { command, progress, reply };
        self.jobs.send(job).await.map_err(|_| lost())?;
        loop {
            tokio::select! {
                biased;
                Some(what) = updates.recv() => report(what),
                done = &mut answer => {
                    let done = done.map_err(|_| lost())?;
                    let ended = done.as_ref().map_or_else(ToString::to_string, Output::status);
                    info!("{}: {doing}: {ended}, in {}", self.name, in_words(start.elapsed()));
                    return done.map_err(|error| broken(error.to_string()));
                }
            }
        }
    }
}

/// A port of a host itself, reached through the host's SSH connection.
#[derive(Debug, Clone)]
pub struct HostPort {
    host: Host,
    port: u16,
}

impl Tunnel for HostPort {
    fn open(&self) -> Opening<'_> {
        Box::pin(async { Ok(self.host.tunnel(self.port).await?) })
    }
}

impl Job {
    /// Does the work, even if nobody waits for the result any more.
    fn run(self, transport: &mut impl Transport) {
        match self {
            Self::Command { command, progress, reply } => {
                let mut watch = |what| drop(progress.blocking_send(what));
                let _ = reply.send(transport.exec(&command, &mut watch));
            }
            Self::Tunnel { port, stream, opened } => {
                let mut opened = Some(opened);
                let mut tell = |result| opened.take().map(|opened| opened.send(result));
                let ended = transport.tunnel(port, stream, &mut || drop(tell(Ok(()))));
                // Once it is open, its user sees the stream end.
                if let Err(error) = ended {
                    tell(Err(error));
                }
            }
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.name).finish_non_exhaustive()
    }
}
