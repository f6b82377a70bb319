//! Hosts that are reached over SSH. A [`Host`] is a cloneable handle to one session, which
//! lives in a thread of its own because the SSH library blocks.

mod command;
mod connect;
mod identity;
mod marker;
mod ssh;
mod tunnel;

use std::fmt;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use support::event::Reporter;
use support::http::{Opening, Tunnel};
use support::wait::in_words;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info};

/// The version of OpenSSL that is linked.
pub const OPENSSL_VERSION: &str = env!("OPENSSL_VERSION");
/// The version of libssh2 that is linked.
pub const LIBSSH2_VERSION: &str = env!("LIBSSH2_VERSION");

pub use command::{Command, More, Output, Prints, Progress, Shell, quote};
pub use connect::{Target, connect};
pub use identity::{Identity, IdentityError, Trust};

/// Something that runs commands on a host, one after the other; blocking.
pub trait Transport: Send + 'static {
    /// Runs a command to its end, within its limit.
    fn exec(
        &mut self,
        command: &Command,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Output, TransportError>;

    /// Connects to a port of the host itself, says so, and moves bytes between it and
    /// `stream` until either side closes.
    fn tunnel(
        &mut self,
        port: u16,
        stream: UnixStream,
        opened: &mut dyn FnMut(),
    ) -> Result<(), TransportError>;
}

/// The connection failed, or the command did not end in time.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct TransportError(pub String);

/// Why something on a host failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HostError {
    /// It could not be connected to in time.
    #[error(
        "{host}: no SSH connection to {address} within {seconds} s; the last attempt: {last}. \
         See that it runs and that its security group lets this machine in"
    )]
    Unreachable {
        /// The host.
        host: String,
        /// Where it was tried.
        address: String,
        /// For how long.
        seconds: u64,
        /// What the last attempt gave.
        last: String,
    },
    /// Another machine, or one in the middle, answers at the address.
    #[error(
        "{host}: {address} answers with a host key that is not the expected one ({found}): nothing \
         was sent to it. {advice}"
    )]
    WrongHostKey {
        /// The host.
        host: String,
        /// Its address.
        address: String,
        /// The key's fingerprint.
        found: String,
        /// What to do.
        advice: &'static str,
    },
    /// The host refuses the user or the key.
    #[error("{host}: {user}@{address} is refused ({cause}): check ssh.user and ssh.key")]
    Denied {
        /// The host.
        host: String,
        /// Its address.
        address: String,
        /// The user.
        user: String,
        /// What the library said.
        cause: String,
    },
    /// The connection broke, or a command took too long.
    #[error("{host}: while {doing}: {cause}")]
    Broken {
        /// The host.
        host: String,
        /// What was being done.
        doing: &'static str,
        /// What went wrong.
        cause: String,
    },
    /// A command failed.
    #[error("{host}: {doing} failed ({status}); its last output:\n{output}")]
    Failed {
        /// The host.
        host: String,
        /// What was being done.
        doing: &'static str,
        /// How it ended.
        status: String,
        /// The end of its output.
        output: String,
    },
}

/// A connected host.
#[derive(Clone)]
pub struct Host {
    name: String,
    jobs: mpsc::Sender<Job>,
}

/// Work that waits for its turn.
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
        let (jobs, mut waiting) = mpsc::channel::<Job>(16);
        // It ends with the last handle. Nobody joins it: where a command is still at
        // work then, the process ends all the same.
        thread::spawn(move || {
            while let Some(job) = waiting.blocking_recv() {
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
            Progress::Output(_) | Progress::Complaint(_) => {}
        };
        self.run_watching(doing, command, report).await
    }

    /// Runs a command that must succeed, and hands over what it is at.
    pub async fn run_watching(
        &self,
        doing: &'static str,
        command: Command,
        mut report: impl FnMut(Progress),
    ) -> Result<Output, HostError> {
        let output = self.exec(doing, command, &mut report).await?;
        if output.succeeded() { Ok(output) } else { Err(self.failed(doing, &output)) }
    }

    /// The error that a command's end is.
    pub fn failed(&self, doing: &'static str, output: &Output) -> HostError {
        HostError::Failed {
            host: self.name.clone(),
            doing,
            status: output.status(),
            output: output.last_lines(),
        }
    }

    /// Runs a command that may fail, and hands over what it prints as it comes.
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

    /// Connects to a port of the host itself through the SSH connection: what passes there
    /// is encrypted, and needs no open port. Other work on this handle waits until the
    /// stream is dropped.
    pub async fn tunnel(&self, port: u16) -> Result<tokio::net::UnixStream, HostError> {
        const DOING: &str = "connecting to the service through SSH";
        let broken =
            |cause: String| HostError::Broken { host: self.name.clone(), doing: DOING, cause };
        let gone = || broken("the connection is gone".into());
        let (near, far) = UnixStream::pair().map_err(|error| broken(error.to_string()))?;
        let (opened, answer) = oneshot::channel();
        let job = Job::Tunnel { port, stream: far, opened };
        self.jobs.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(|error| broken(error.to_string()))?;
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
        let gone = || broken("the connection is gone".into());
        let begun = Instant::now();
        debug!("{}: {doing}: {}", self.name, command.log_text());
        let (reply, mut answer) = oneshot::channel();
        let (progress, mut news) = mpsc::channel(64);
        let job = Job::Command { command, progress, reply };
        self.jobs.send(job).await.map_err(|_| gone())?;
        loop {
            tokio::select! {
                biased;
                Some(what) = news.recv() => report(what),
                done = &mut answer => {
                    let done = done.map_err(|_| gone())?;
                    let ended = done.as_ref().map_or_else(ToString::to_string, Output::status);
                    info!("{}: {doing}: {ended}, in {}", self.name, in_words(begun.elapsed()));
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
    /// Does it. Where nobody waits for the result any longer, it is done all the same.
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
                // Once it is open, whoever uses it sees that the stream has ended.
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
