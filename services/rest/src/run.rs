//! This module owns a service as a process: command line, logging, signals and exit
//! codes. `main` of a service is one call of [`run()`].

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::data_dir::{DataDir, DataDirError, Holder};
use crate::http::Api;
use crate::id::IdGenerator;
use crate::resource::Resource;
use crate::server::{self, Limits};
use crate::store::{LogStore, StoreError};

/// Larger than any valid resource by far: 700 characters take at most 8,400 bytes of
/// JSON with every one escaped as a surrogate pair.
const BODY_LIMIT: usize = 64 << 10;
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

const EXIT_CODES: &str = "\
Exit codes (as in sysexits.h):
  0   stopped by a signal, nothing lost
  2   bad command line
  65  the data is damaged, or not this service's
  69  the address cannot be listened on
  73  the data folder cannot be written
  74  input or output failed
  75  another process holds the data folder";

#[derive(Debug, Parser)]
#[command(after_help = EXIT_CODES)]
struct Args {
    /// Address to listen on; without it, PORT on all addresses
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// Port to listen on, on all addresses
    #[arg(long, env = "PORT", default_value_t = 8080)]
    port: u16,

    /// Folder that holds the data; made where it is missing
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,

    /// How log lines on standard error look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
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
    #[error("the system cannot provide what a service needs: {0}")]
    System(String),
}

impl StartError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Store(StoreError::Damaged { .. } | StoreError::Foreign { .. }) => 65,
            Self::Listen { .. } => 69,
            Self::DataDir(DataDirError::Unwritable { .. }) => 73,
            Self::Store(_) | Self::System(_) => 74,
            Self::DataDir(DataDirError::Locked { .. }) => 75,
        })
    }
}

/// Runs the service of a kind of resource until SIGTERM or SIGINT, and returns the
/// process's exit code. `version` is the service's own.
pub fn run<R: Resource>(version: &'static str, about: &'static str) -> ExitCode {
    let command = Args::command().name(R::COLLECTION).version(version).about(about);
    let args = match Args::from_arg_matches(&command.get_matches()) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    init_logging(args.log_format);
    match start::<R>(version, &args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            error.exit_code()
        }
    }
}

fn init_logging(format: LogFormat) {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

fn start<R: Resource>(version: &'static str, args: &Args) -> Result<(), StartError> {
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| StartError::System(error.to_string()))?;
    runtime.block_on(serve::<R>(version, args))
}

async fn serve<R: Resource>(version: &'static str, args: &Args) -> Result<(), StartError> {
    let system = |error: &dyn std::fmt::Display| StartError::System(error.to_string());
    // The handlers are in place before anybody can know of the process and signal it.
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| system(&e))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| system(&e))?;
    let dir = DataDir::lock(&args.data)?;
    let store = LogStore::open(&dir, R::COLLECTION)?;
    let (listener, address) = listen(args).await?;
    dir.describe(&holder(version, address))?;
    let ids = IdGenerator::new().map_err(|e| system(&e))?;
    let api = Arc::new(Api::<R, _>::new(store, ids, version, BODY_LIMIT, BODY_TIMEOUT));
    let handle = move |request| {
        let api = Arc::clone(&api);
        async move { api.handle(request).await }
    };
    tracing::info!(version, %address, data = %dir.path().display(), "{} is listening", R::COLLECTION);
    let shutdown = async {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!("{name}: finishing the requests at work");
    };
    if !server::serve(listener, handle, Limits::default(), shutdown).await {
        tracing::warn!("some requests did not finish in time");
    }
    tracing::info!("stopped");
    Ok(())
}

async fn listen(args: &Args) -> Result<(TcpListener, SocketAddr), StartError> {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, args.port));
    let address = args.listen.unwrap_or(any);
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
