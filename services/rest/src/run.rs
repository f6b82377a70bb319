//! Runs a service as a process: command line, logging, signals and exit codes. `main` of a
//! service is one call of [`run()`].

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use rustix::fs::Mode;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::access::origins::{Origin, Origins};
use crate::access::{AccessArgs, AccessError, Guard};
use crate::access_log::{AccessLog, LogFormat, Logged};
use crate::ask::{self, AskError};
use crate::data_dir::{DataDir, DataDirError, Holder};
use crate::extension::{Extension, Given};
use crate::http::{Api, ApiParts, BodyLimits};
use crate::id::IdGenerator;
use crate::resource::Resource;
use crate::server::{self, Limits, ServerMetrics};
use crate::store::{self, Copied, CopyError, Destination, LogStore, StoreError};
use crate::system;
use crate::writes::Writes;

/// Threads that wait for the disk or compress: few, since they share the processors
/// with those that answer, and each that works on a list has a piece of it in memory.
const BLOCKING_THREADS: usize = 4;

/// Tasks that a thread runs before it looks for new requests. A commit wakes many
/// writers at once; with tokio's 61, a read that arrives then is seen after most of them.
const EVENT_INTERVAL: u32 = 8;

const EXIT_CODES: &str = "\
Exit codes (as in sysexits.h):
  0   stopped by a signal, nothing lost
  2   bad command line
  65  the data is damaged, or not this service's
  66  the copy to restore cannot be read
  69  the address cannot be listened on
  73  the data folder or the copy cannot be written, or the folder holds data
  74  input or output failed
  75  another process holds the data folder
  78  the access, mail or page settings are not valid";

#[derive(Debug, Parser)]
#[command(after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
struct Args<A: clap::Args> {
    #[command(flatten)]
    serve: ServeArgs,

    #[command(flatten)]
    more: A,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Args)]
struct ServeArgs {
    /// Address to listen on; without it, PORT on all addresses
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// Port to listen on, on all addresses
    #[arg(long, env = "PORT", default_value_t = 8080)]
    port: u16,

    #[command(flatten)]
    data: DataArgs,

    #[command(flatten)]
    access: AccessArgs,

    /// Origins whose pages may use the service in a browser, as a browser names them
    #[arg(long, env = "ALLOW_ORIGINS", value_name = "ORIGIN", value_delimiter = ',')]
    allow_origins: Vec<Origin>,

    /// Connections open at the same time, as far as the limit on open files allows
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections)]
    max_connections: usize,

    /// Seconds that a connection may stay idle, take to send a request's head, or
    /// take nothing of an answer
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    idle_timeout: Duration,

    /// Seconds that a request's body may take to arrive
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "15")]
    body_timeout: Duration,

    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,

    /// Which requests have a line on standard output
    #[arg(long, value_enum, env = "ACCESS_LOG", default_value_t = Logged::Failed)]
    access_log: Logged,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        _ => Err("must be a whole number of seconds from 1".into()),
    }
}

#[derive(Debug, clap::Args)]
struct DataArgs {
    /// Folder that holds the data; made where it is missing
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Copy(CopyCommand),
    /// Refuse writes for a while, with 503: reading goes on. Returns when none is at work
    ReadOnly {
        #[command(flatten)]
        data: DataArgs,
        /// After how many seconds they are taken again by themselves
        #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "300")]
        seconds: Duration,
        /// Take them again now
        #[arg(long, conflicts_with = "seconds")]
        off: bool,
    },
    /// Say whether the service on a port of this machine is ready: exit code 0 or 1
    Ready {
        /// The port
        #[arg(long, value_name = "PORT", default_value_t = 8080)]
        port: u16,
    },
}

#[derive(Debug, Subcommand)]
enum CopyCommand {
    /// Copy the data to a file, while the service runs or not
    Backup {
        /// The file to write; - is standard output
        file: PathBuf,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Put a copy's data into the data folder of a service that does not run
    Restore {
        /// The copy; - is standard input
        file: PathBuf,
        #[command(flatten)]
        data: DataArgs,
        /// Replace the data that the folder holds
        #[arg(long)]
        replace: bool,
    },
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(
        "cannot listen on {address} ({source}): stop what uses it, or choose another with --listen"
    )]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("cannot begin: {0}")]
    Extension(String),
    #[error("the system cannot provide what a service needs: {0}")]
    System(String),
}

impl StartError {
    fn exit_code(&self) -> ExitCode {
        let of_store = |error: &StoreError| match error {
            StoreError::Damaged { .. } | StoreError::Foreign { .. } => 65,
            _ => 74,
        };
        ExitCode::from(match self {
            Self::Store(error) | Self::Copy(CopyError::Store(error)) => of_store(error),
            Self::Copy(CopyError::Bad { .. }) => 65,
            Self::Copy(CopyError::Unreadable { .. }) => 66,
            Self::Listen { .. } => 69,
            Self::DataDir(DataDirError::Unwritable { .. })
            | Self::Ask(AskError::DataDir(DataDirError::Unwritable { .. }))
            | Self::Copy(CopyError::Unwritable { .. } | CopyError::Occupied { .. }) => 73,
            // EX_CONFIG in sysexits.h.
            Self::Access(_) | Self::Extension(_) => 78,
            Self::System(_) | Self::Ask(_) => 74,
            Self::DataDir(DataDirError::Locked { .. }) => 75,
        })
    }
}

/// Runs the service of a kind of resource until SIGTERM or SIGINT, and returns the
/// process's exit code. `version` is the service's own.
pub fn run<R: Resource, E: Extension>(version: &'static str, about: &'static str) -> ExitCode {
    let command = Args::<E::Args>::command().name(R::COLLECTION).version(version).about(about);
    let args = match Args::<E::Args>::from_arg_matches(&command.get_matches()) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    init_logging(args.serve.log_format);
    // Whatever a service writes is for its own user, extensions' files too.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let done = match &args.command {
        None => start::<R, E>(version, &args.serve, &args.more),
        Some(Command::Ready { port }) => {
            return if ask::is_ready(*port) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Some(Command::ReadOnly { data, seconds, off }) => {
            ask::refuse_writes(&data.data, (!off).then_some(*seconds)).map_err(StartError::Ask)
        }
        Some(Command::Copy(command)) => copy(command, R::COLLECTION),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            error.exit_code()
        }
    }
}

/// Logs from level `info` on, or what `RUST_LOG` says, such as `warn,rest::access=debug`.
fn init_logging(format: LogFormat) {
    let given = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let parsed = given.map(|text| text.parse::<Targets>()).transpose();
    let usual = || Targets::new().with_default(LevelFilter::INFO);
    let levels = parsed.as_ref().map_or_else(|_| usual(), |it| it.clone().unwrap_or_else(usual));
    let log = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let registry = tracing_subscriber::registry().with(levels);
    match format {
        LogFormat::Text => registry.with(log.with_ansi(false)).init(),
        LogFormat::Json => registry.with(log.json().flatten_event(true)).init(),
    }
    if let Err(error) = parsed {
        tracing::warn!(%error, "RUST_LOG is not valid: logging from level info on");
    }
}

fn copy(command: &CopyCommand, collection: &'static str) -> Result<(), StartError> {
    let (word, file, Copied { documents, bytes }) = match command {
        CopyCommand::Backup { file, data } => {
            let to = match file.to_str() {
                Some("-") => Destination::Stdout,
                _ => Destination::File(file.clone()),
            };
            ("backed up", file, store::backup(&data.data, collection, &to)?)
        }
        CopyCommand::Restore { file, data, replace } => {
            let dir = DataDir::lock(&data.data)?;
            ("restored", file, store::restore(&dir, collection, file, *replace)?)
        }
    };
    tracing::info!(file = %file.display(), documents, bytes, "{word} {collection}");
    Ok(())
}

fn start<R: Resource, E: Extension>(
    version: &'static str,
    args: &ServeArgs,
    more: &E::Args,
) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .event_interval(EVENT_INTERVAL)
        .build()
        .map_err(|error| StartError::System(error.to_string()))?;
    runtime.block_on(serve::<R, E>(version, args, more))
}

async fn serve<R: Resource, E: Extension>(
    version: &'static str,
    args: &ServeArgs,
    more: &E::Args,
) -> Result<(), StartError> {
    let system_error = |error: &dyn std::fmt::Display| StartError::System(error.to_string());
    // The handlers are in place before anybody can know of the process and signal it.
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| system_error(&e))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| system_error(&e))?;
    let hangup = signal(SignalKind::hangup()).map_err(|e| system_error(&e))?;
    system::survive_file_size_limit().map_err(|e| system_error(&e))?;
    let guard = Arc::new(args.guard()?);
    let connections = args.max_connections.min(system::room_for_connections());
    let limits = Limits { connections, idle: args.idle_timeout, ..Limits::default() };
    let dir = DataDir::lock(&args.data.data)?;
    let writes = Arc::new(Writes::default());
    writes.obey(dir.path()).map_err(|e| system_error(&e))?;
    reload_at_hangup(hangup, &writes, dir.path(), &guard);
    let store = Arc::new(LogStore::open(&dir, R::COLLECTION)?);
    let (given, folder) = (Arc::clone(&store), dir.path().into());
    let (open, access_name) = (guard.access.is_open(), guard.access.as_str());
    let given = Given { store: given, folder, writes: Arc::clone(&writes), open };
    let extension = E::start(more, given).map_err(StartError::Extension)?;
    let (listener, address) = listen(args).await?;
    dir.describe(&holder(version, address))?;
    let ids = IdGenerator::new().map_err(|e| system_error(&e))?;
    let access_log =
        AccessLog::start(args.access_log, args.log_format).map_err(|e| system_error(&e))?;
    let metrics = ServerMetrics::default();
    let bodies = BodyLimits { time: args.body_timeout, ..BodyLimits::default() };
    let server = metrics.clone();
    let parts =
        ApiParts { store, ids, version, bodies, access_log, server, writes, guard, extension };
    let api = Api::<R, _, E>::new(parts);
    let api = Arc::new(api);
    let ending = Arc::clone(&api);
    let handle = move |request, peer| api.handle(request, peer);
    let (data, access) = (dir.path().display(), access_name);
    tracing::info!(version, %address, %data, connections, access, "{} is listening", R::COLLECTION);
    let shutdown = async {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!("{name}: finishing the requests at work");
    };
    if !server::serve(listener, handle, limits, metrics, shutdown).await {
        tracing::warn!("some requests did not finish in time");
    }
    ending.stop().await;
    tracing::info!("stopped");
    Ok(())
}

impl ServeArgs {
    /// The address to listen on.
    fn address(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from((Ipv6Addr::UNSPECIFIED, self.port)))
    }

    fn guard(&self) -> Result<Guard, AccessError> {
        let address = self.address();
        Ok(Guard {
            access: self.access.access(address)?,
            origins: Origins::new(self.allow_origins.clone()),
            loopback: address.ip().to_canonical().is_loopback(),
        })
    }
}

/// At each SIGHUP, reads again whether writes are taken, and which tokens are accepted.
fn reload_at_hangup(mut hangup: Signal, writes: &Arc<Writes>, folder: &Path, guard: &Arc<Guard>) {
    let (writes, guard, folder) = (Arc::clone(writes), Arc::clone(guard), folder.to_path_buf());
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match writes.obey(&folder) {
                Ok(()) => tracing::info!("SIGHUP: looked up whether to take writes"),
                Err(error) => tracing::error!(%error, "whether to take writes is unknown"),
            }
            match guard.access.reload() {
                Ok(Some(tokens)) => tracing::info!(tokens, "SIGHUP: reloaded the access tokens"),
                Ok(None) => {}
                Err(error) => tracing::error!(
                    %error, "SIGHUP: cannot reload the access tokens; the previous list stays in use"
                ),
            }
        }
    });
}

async fn listen(args: &ServeArgs) -> Result<(TcpListener, SocketAddr), StartError> {
    let address = args.address();
    let failed = |source| StartError::Listen { address, source };
    let listener = match TcpListener::bind(address).await {
        // A system without IPv6 has only the old "all addresses".
        Err(_) if args.listen.is_none() => TcpListener::bind(("0.0.0.0", args.port)).await,
        bound => bound,
    };
    let listener = listener.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn holder(version: &str, address: SocketAddr) -> Holder {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Holder { pid: std::process::id(), address, version: version.into(), started }
}
