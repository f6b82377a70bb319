//! Starts a service, and stops it at a signal.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use store::{IdGenerator, PostgresStore, Settings, SqliteStore, Store};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use super::args::ServeArgs;
use super::error::RunError;
use super::listen::Listeners;
use crate::access::Guard;
use crate::access_log::AccessLog;
use crate::data_dir::{DataDir, Holder};
use crate::extension::{Extension, ExtensionContext};
use crate::http::{Api, ApiParts, BodyLimits};
use crate::resource::Resource;
use crate::server::{Limits, Server, ServerMetrics};
use crate::system;
use crate::tls::Tls;
use crate::writes::WriteGate;

/// Threads that wait for the disk or compress. They are few, since they share the processors
/// with those that answer, and each that reads a list has a chunk of it in memory.
const BLOCKING_THREADS: usize = 8;

/// Tasks that a thread runs before it looks for new requests. A commit wakes many writers at
/// once; with tokio's default of 61, a read that arrives then waits for most of them.
const EVENT_INTERVAL: u32 = 8;

/// The signals that a service handles.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// Runs a service until SIGTERM or SIGINT.
pub(super) fn start<R: Resource, E: Extension>(
    version: &'static str,
    args: &ServeArgs,
    extension_args: &E::Args,
) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .event_interval(EVENT_INTERVAL)
        .build()
        .map_err(RunError::system)?;
    runtime.block_on(serve::<R, E>(version, args, extension_args))
}

async fn serve<R: Resource, E: Extension>(
    version: &'static str,
    args: &ServeArgs,
    extension_args: &E::Args,
) -> Result<(), RunError> {
    // Handle signals before anybody can know of the process and send one.
    let Signals { terminate, interrupt, hangup } = Signals::install()?;
    system::survive_file_size_limit().map_err(RunError::system)?;
    let tls_settings = args.tls.settings()?;
    let exposed = args.exposed_address(tls_settings.as_ref());
    let guard = Arc::new(args.guard(exposed)?);
    let tls = tls_settings.clone().map(Tls::load).transpose()?;
    E::check(extension_args).map_err(RunError::Extension)?;
    let connections = args.max_connections.min(system::room_for_connections());
    let dir = DataDir::lock(&args.data.data)?;
    let writes = Arc::new(WriteGate::default());
    writes.reload(dir.path()).map_err(RunError::system)?;
    reload_on_hangup(
        hangup,
        Arc::clone(&writes),
        dir.path().into(),
        Arc::clone(&guard),
        tls.as_ref().map(Tls::reload),
    );
    let settings = Settings { limits: args.limits(), ..settings::<R>() };
    let url = args.database.url();
    let store: Arc<dyn Store> = match url {
        None => Arc::new(SqliteStore::open(dir.path(), &settings)?),
        Some(url) => {
            let connections = usize::from(args.database_connections);
            Arc::new(PostgresStore::open(url, &settings, connections).await?)
        }
    };
    let context = ExtensionContext {
        store: Arc::clone(&store),
        writes: Arc::clone(&writes),
        is_open: guard.access.is_open() && !guard.loopback,
    };
    let extension = E::start(extension_args, context).map_err(RunError::Extension)?;
    let listeners = Listeners::bind(args, tls_settings.as_ref()).await?;
    let address = listeners.address;
    dir.describe(&holder(version, address))?;
    let access = guard.access.as_str();
    let clients = Arc::new(args.clients.limits(exposed));
    let metrics = ServerMetrics::default();
    let api = Arc::new(Api::<R, E>::new(ApiParts {
        store: Arc::clone(&store),
        ids: IdGenerator::new().map_err(RunError::system)?,
        version,
        bodies: BodyLimits { time: args.body_timeout, ..BodyLimits::default() },
        access_log: AccessLog::start(args.access_log, args.log_format),
        server: metrics.clone(),
        writes: Arc::clone(&writes),
        guard,
        limits: Arc::clone(&clients),
        certificate: tls.as_ref().map(Tls::status),
        extension,
    }));
    let data = dir.path().display();
    let storage = store.engine();
    let https = tls_settings.map(|settings| tracing::field::display(settings.listen));
    tracing::info!(
        version, %address, https, %data, storage, connections, access, "{} is listening", R::COLLECTION
    );
    let limits = Limits { connections, idle: args.idle_timeout, ..Limits::default() };
    let server = Server::new(limits, clients, metrics);
    let listeners = listeners.secure(tls.as_ref())?;
    if let Some(tls) = tls {
        tls.start(dir.path(), writes)?;
    }
    let serving = Arc::clone(&api);
    let handle = move |request, peer| serving.handle(request, peer);
    if !listeners.serve(&server, handle, stop_signal(terminate, interrupt)).await {
        tracing::warn!("some requests did not finish in time");
    }
    api.stop().await;
    store.close().await?;
    tracing::info!("stopped");
    Ok(())
}

/// What the store of a service is opened with, without limits.
pub(super) fn settings<R: Resource>() -> Settings {
    let limits = store::Limits::default();
    Settings { collection: R::COLLECTION, limits, facts: R::facts_of }
}

impl Signals {
    fn install() -> Result<Self, RunError> {
        let install = |kind| signal(kind).map_err(RunError::system);
        Ok(Self {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
            hangup: install(SignalKind::hangup())?,
        })
    }
}

/// Completes when the service is to stop.
async fn stop_signal(mut terminate: Signal, mut interrupt: Signal) {
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!("{name}: finishing the requests in progress");
}

/// At each SIGHUP, reloads whether writes are accepted, the access tokens and the certificate.
fn reload_on_hangup(
    mut hangup: Signal,
    writes: Arc<WriteGate>,
    folder: PathBuf,
    guard: Arc<Guard>,
    certificate: Option<Arc<Notify>>,
) {
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            if let Some(certificate) = &certificate {
                certificate.notify_one();
            }
            match writes.reload(&folder) {
                Ok(()) => tracing::info!("SIGHUP: reloaded whether writes are accepted"),
                Err(error) => {
                    tracing::error!(%error, "SIGHUP: cannot reload whether writes are accepted");
                }
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

fn holder(version: &str, address: SocketAddr) -> Holder {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Holder { pid: std::process::id(), address, version: version.into(), started }
}
