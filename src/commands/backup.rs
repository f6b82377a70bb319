//! `eventpost backup`: copies the data of all services to one file, while they run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use futures_util::future::try_join_all;
use loadtest::now;
use serde::Serialize;
use ssh::Progress;
use store::DatabaseUrl;
use tokio::runtime::Handle;

use crate::backup::{self, BackupError, CopyWriter, Part};
use crate::cli::Backup;
use crate::commands::destination::Destination;
use crate::config::{self, Service};
use crate::docker::{self, DataStep};
use crate::error::Error;
use crate::local;
use crate::report::{Cell, Table};
use crate::session::{Connection, Placement, ServiceHost, Session};

/// The usual reason for a damaged copy.
const GREETING: &str = ". Output of the host's login shell may have been mixed into it: make the \
    shell print nothing when it is not interactive";

/// A row of the result of `backup` and `restore`.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) service: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl From<Part> for Row {
    fn from(Part { service, bytes, sha256 }: Part) -> Self {
        Self { service, bytes, sha256 }
    }
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["SERVICE", "BYTES", "SHA-256"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(Some(&self.service)),
            Cell::text(Some(self.bytes)),
            Cell::text(Some(&self.sha256)),
        ]
    }
}

pub(super) async fn run(args: &Backup) -> Result<ExitCode, Error> {
    let session = Session::open(&args.stack, &args.placement)?;
    // Whoever can read the file can read the data.
    let mut destination = Destination::private(&args.backup)?;
    let folder = backup::folder_beside(&args.backup)?;
    let parts = session.run("no backup was written", copies(&session, folder.path())).await?;
    check_copies(&session, &parts, folder.path())?;
    destination
        .prepare(|to| backup::pack(session.stack(), now(), parts.clone(), folder.path(), to))?;
    backup::verify(&args.backup, destination.reopen()?, &parts)?;
    destination.commit()?;
    let rows: Vec<_> = parts.into_iter().map(Row::from).collect();
    session.print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Checks that each copy can be restored, while another one can still be taken.
fn check_copies(session: &Session, parts: &[Part], folder: &Path) -> Result<(), Error> {
    let hint = if session.placement == Placement::Local { "" } else { GREETING };
    for Part { service, .. } in parts {
        let checked = backup::check_copy(folder, service);
        checked.map_err(|why| BackupError::BadCopy { service: service.clone(), why, hint })?;
    }
    Ok(())
}

/// Copies the data of all services to a folder.
async fn copies(session: &Session, folder: &Path) -> Result<Vec<Part>, Error> {
    if session.placement == Placement::Local {
        let mut parts = Vec::new();
        for service in &session.config.services {
            parts.push(local_copy(session, service, folder).await?);
        }
        return Ok(parts);
    }
    let hosts = session.service_hosts().await?;
    try_join_all(hosts.iter().map(|host| remote_copy(session, host, folder))).await
}

/// Copies the data of a local service, whether it runs or not.
async fn local_copy(session: &Session, service: &Service, folder: &Path) -> Result<Part, Error> {
    let name = service.name.as_str().to_owned();
    let mut copy = CopyWriter::create(folder, &name)?;
    let data = session.folder.service(&name).data();
    let database = local_database(service);
    let (collection, runtime) = (name.clone(), Handle::current());
    let write = move || {
        let written = match database {
            Some(url) => store::back_up_database(url, &collection, &runtime, &mut copy),
            None => store::back_up_folder(&data, &collection, &mut copy),
        };
        written.map(|_| copy)
    };
    let written = tokio::task::spawn_blocking(write).await.expect("writing does not panic");
    let copy = written.map_err(|source| Error::Copy { service: name.clone(), source })?;
    Ok(copy.finish(&name))
}

/// The database of a local service, if its data are in one.
fn local_database(service: &Service) -> Option<DatabaseUrl> {
    let env = local::local_env(service);
    let file = |variable| env.get(variable).map(PathBuf::from);
    let url = DatabaseUrl::file(file(config::DATABASE_URL_FILE)?);
    Some(url.with_ca_file(file(config::DATABASE_CA_FILE)))
}

async fn remote_copy(session: &Session, host: &ServiceHost, folder: &Path) -> Result<Part, Error> {
    let connection = session.connect(host).await?;
    let copied = copy(&connection, folder).await;
    copied.inspect_err(|error| connection.reporter.failed(error.headline()))
}

async fn copy(connection: &Connection<'_>, folder: &Path) -> Result<Part, Error> {
    let Connection { service, host, reporter, .. } = connection;
    let name = service.name.as_str();
    reporter.step("copying its data");
    let (mut copy, mut failure, mut bytes) = (CopyWriter::create(folder, name)?, None, 0);
    let command = docker::data(service, DataStep::Backup);
    let output = host.stream("copying the data", command, |progress| {
        if let (Progress::Stdout(chunk), None) = (progress, &failure) {
            failure = copy.push(&chunk).err();
            bytes += chunk.len() as u64;
            reporter.detail(format!("copying its data: {bytes} bytes"));
        }
    });
    let output = output.await?;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    if !output.succeeded() {
        return Err(host.failed("copying the data", &output).into());
    }
    reporter.done(format!("{bytes} bytes"));
    Ok(copy.finish(name))
}
