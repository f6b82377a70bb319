//! The errors that end a command, and the exit code of each.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use ec2::{AccountError, Ec2Error};
use loadtest::LoadTestError;
use loadtest::script::ScriptErrors;
use ssh::{HostError, IdentityError};

use crate::access::AccessError;
use crate::backup::BackupError;
use crate::binary::BinaryError;
use crate::config::ConfigErrors;
use crate::fixtures::FixtureError;
use crate::health::HealthError;
use crate::local::LocalError;
use crate::plan::container::HostProblem;
use crate::secrets::SecretError;
use crate::seed::SeedError;
use crate::signals::{CaughtSignal, SignalError};
use crate::terminal;

/// Why a command failed. The text says how to fix it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The description of the stack is not valid.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A fixtures file is not valid.
    #[error(transparent)]
    Fixtures(#[from] FixtureError),
    /// The script of a load test is not valid.
    #[error(transparent)]
    Script(#[from] ScriptErrors),
    /// A backup could not be read or written.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Data of a service on this machine could not be copied.
    #[error("{service}: {source}")]
    Copy {
        /// The service.
        service: String,
        /// Why.
        source: store::BackupError,
    },
    /// A load test cannot run.
    #[error(transparent)]
    LoadTest(#[from] LoadTestError),
    /// A service's program could not be built or found.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// Something about local processes or their folder.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// A service did not become ready.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// A service could not be seeded.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// EC2 refused something.
    #[error(transparent)]
    Ec2(#[from] Ec2Error),
    /// Something in the account is not the stack's, or is missing.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// Something on a host failed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Something about access tokens failed.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// There is no key to log in with.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// There is no key to log in with.
    #[error(
        "there is no key to log in with: {} does not exist. Copy it from the machine that launched \
         the hosts, or set ssh.key to a key that they accept", path.display()
    )]
    NoKey {
        /// The file of the stack's key.
        path: PathBuf,
    },
    /// A container does not become ready.
    #[error("{problem}; its last log lines:\n{lines}")]
    Container {
        /// What was waited for, and the last answer.
        problem: String,
        /// The end of the container's log.
        lines: String,
    },
    /// Something failed after hosts had been launched.
    #[error(
        "{source}\nKept: {hosts}. `eventpost up` resumes with them, `eventpost down` terminates them."
    )]
    Kept {
        /// What failed.
        source: Box<Error>,
        /// The hosts that stay.
        hosts: String,
    },
    /// The data of the hosts that would be replaced cannot be copied.
    #[error(
        "{source}\nThe data of the old hosts cannot be carried over, and nothing was changed. To \
         start without them, use --fresh"
    )]
    CarryOver {
        /// Why.
        source: Box<Error>,
    },
    /// The host whose data would be carried over does not run.
    #[error(
        "{instance} has the data of {service} and is {state}: start it with `aws ec2 \
         start-instances --instance-ids {instance}`, or start without its data with --fresh"
    )]
    SourceDown {
        /// The instance.
        instance: String,
        /// Its service.
        service: String,
        /// What it is doing.
        state: String,
    },
    /// An instance runs and has no public address.
    #[error(
        "{instance} has no public address: launch it in a subnet that assigns public addresses"
    )]
    NoAddress {
        /// The instance.
        instance: String,
    },
    /// The new host serves, and the address of its service points elsewhere.
    #[error(
        "{service} runs on {instance} and accepts writes, but {address} does not point to it: \
         {source}\nRun `eventpost deploy` to move the address"
    )]
    Address {
        /// The service.
        service: String,
        /// Its address.
        address: IpAddr,
        /// The instance that it should point to.
        instance: String,
        /// Why it does not.
        source: Box<Ec2Error>,
    },
    /// The address of a service has moved to its new host, and something is wrong there.
    #[error(
        "{service} serves on {instance}, to which its address has moved, but not as it should: {source}\n\
         The old hosts have not been terminated. `eventpost status` shows all of them, and \
         `eventpost up` replaces them"
    )]
    AfterMove {
        /// The service.
        service: String,
        /// Its new instance.
        instance: String,
        /// What is wrong.
        source: Box<Error>,
    },
    /// Several things failed.
    #[error("{} problems:{}", .0.len(), list(.0))]
    Several(Vec<Error>),
    /// Something failed, and so did going back.
    #[error(
        "not every service runs as before: `eventpost status` and `eventpost logs` show how they \
         are:{}",
        list(.0)
    )]
    HalfChanged(Vec<Error>),
    /// The command line asks for something that is not possible with this stack.
    #[error("{0}")]
    Request(String),
    /// Something failed for the reason that the text gives.
    #[error("{0}")]
    Failed(String),
    /// A local service does not run that must.
    #[error("{service} does not run: `eventpost up --local` starts it")]
    NoProcess {
        /// The service.
        service: String,
    },
    /// A service has no host.
    #[error("{service} has no host: `eventpost up` launches one")]
    NoHost {
        /// The service.
        service: String,
    },
    /// A service cannot run on its host as the host is.
    #[error("{service} on {host}: {problem}")]
    HostState {
        /// The service.
        service: String,
        /// The host's address.
        host: String,
        /// What is wrong with the host.
        problem: HostProblem,
    },
    /// Another command holds the lock of the stack, or has broken this command's lock.
    #[error("{0}")]
    Locked(String),
    /// The user answered a question with no.
    #[error("nothing was changed")]
    Declined,
    /// A signal came; what was begun has been undone.
    #[error("{signal}: {outcome}")]
    Interrupted {
        /// The signal's name.
        signal: &'static str,
        /// 128 and the signal's number, as shells report it.
        code: u8,
        /// What is left of the work that was going on.
        outcome: &'static str,
    },
    /// The system could not provide threads or sockets.
    #[error("system resources are not available: {0}")]
    Runtime(io::Error),
    /// The result could not be written.
    #[error("standard output cannot be written: {0}")]
    Output(io::Error),
}

impl From<SignalError> for Error {
    fn from(SignalError(error): SignalError) -> Self {
        Self::Runtime(error)
    }
}

impl CaughtSignal {
    /// The error that ends an interrupted command; `outcome` is what is left of its work.
    pub(crate) fn into_error(self, outcome: &'static str) -> Error {
        Error::Interrupted { signal: self.name, code: self.code, outcome }
    }
}

fn list(errors: &[Error]) -> String {
    errors.iter().map(|error| format!("\n  {error}")).collect::<Vec<_>>().concat()
}

impl Error {
    /// One error for all of them; there must be at least one.
    pub(crate) fn several(mut errors: Vec<Self>) -> Self {
        if errors.len() == 1 { errors.remove(0) } else { Self::Several(errors) }
    }

    /// The process's exit code, as `eventpost --help` lists them.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Request(_) => 2,
            // EX_CONFIG in sysexits.h.
            Self::Config(_) | Self::Fixtures(_) | Self::Script(_) => 78,
            Self::Interrupted { code, .. } => *code,
            Self::Kept { source, .. } => return source.exit_code(),
            _ => 1,
        })
    }

    /// The first line, for a display that has room for one.
    pub fn headline(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().into()
    }

    /// Prints the error to standard error, in colour if that is a terminal.
    pub fn print(&self) {
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let text = self.to_string();
        let text = terminal::escape(&text);
        // If even this fails, there is nobody left to tell.
        let _ = writeln!(anstream::stderr(), "{red}error:{red:#} {text}");
    }
}
