//! `eventpost restore`: replaces the data of all services with those of a backup, or of none.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};

use super::backup::Row;
use crate::backup::{self, BackupError, Manifest};
use crate::binary::{self, Destination};
use crate::cli::Restore;
use crate::config::Config;
use crate::docker::{self, DataStep};
use crate::error::Error;
use crate::local;
use crate::session::{Connection, Placement, Session};

const READY_TIMEOUT: Duration = Duration::from_secs(120);
/// What an interrupt leaves.
const LEFT: &str = "each service has either all of its old data or all of the backup's; restore \
    again to complete it";

pub(super) async fn run(args: &Restore) -> Result<ExitCode, Error> {
    let session = Session::open(&args.stack, &args.placement)?;
    session.check_placement()?;
    let folder = backup::folder_beside(&args.backup)?;
    let copies = folder.path();
    let manifest = unpack(args, &session.config, copies)?;
    if !args.yes {
        session.confirm(question(&session.config, &manifest)).await?;
    }
    let restored = session.locked("restore", async || {
        let restored = async {
            match session.placement {
                Placement::Local => into_folders(&session, copies).await,
                Placement::Hosts(_) | Placement::Ec2 => into_hosts(&session, copies).await,
            }
        };
        session.run(LEFT, restored).await
    });
    restored.await?;
    let rows: Vec<_> = manifest.services.into_iter().map(Row::from).collect();
    session.print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Unpacks the backup and checks all of it, including which services it is of.
fn unpack(args: &Restore, config: &Config, folder: &Path) -> Result<Manifest, Error> {
    let services: Vec<_> = config.services.iter().map(|it| it.name.as_str()).collect();
    let unpacked = backup::unpack(&args.backup, &services, folder);
    let manifest = unpacked.map_err(|error| match error {
        BackupError::OtherServices { path, services: there } => Error::Request(format!(
            "{} is a backup of {there}, and {} has {}: nothing was changed",
            path.display(),
            config.origin,
            services.join(" and ")
        )),
        error => error.into(),
    })?;
    for service in services {
        backup::check_copy(folder, service).map_err(|why| {
            let why = format!("the copy of {service} cannot be restored: {why}");
            BackupError::Damaged { path: args.backup.clone(), why }
        })?;
    }
    Ok(manifest)
}

fn question(config: &Config, manifest: &Manifest) -> String {
    format!(
        "The data of stack {} will be replaced with those of {}, of {}. Continue?",
        config.stack, manifest.stack, manifest.created
    )
}

/// Restores the data of local services. None that keeps its data on this machine may run. Each
/// service's own program does it, since only that knows what follows from its documents.
async fn into_folders(session: &Session, copies: &Path) -> Result<(), Error> {
    let mut stopped = Vec::new();
    for service in &session.config.services {
        let name = service.name.as_str();
        let folder = session.folder.service(name);
        if service.database().is_none() && local::find(&folder).await?.is_some() {
            return Err(Error::Failed(format!(
                "{name} runs: stop it with `eventpost down --local`, and start it again afterwards \
                 with `eventpost up --local`"
            )));
        }
        let reporter = session.reporter(name);
        reporter.step("building");
        let program = binary::provide(&session.config, service, Destination::Here, reporter).await;
        let program = program.inspect_err(|_| reporter.failed("there is no program to run"))?;
        folder.create()?;
        stopped.push((folder, program, local::local_env(service), reporter));
    }
    // Each copy is verified before it replaces data; all of them were checked before the first
    // one does.
    for (folder, program, env, reporter) in &stopped {
        reporter.step("replacing its data");
        let copy = backup::copy_in(copies, folder.service());
        let restored = local::restore(folder, program, &copy, env).await;
        restored.inspect_err(|_| reporter.failed("has the data from before"))?;
        reporter.done("has the backup's data");
    }
    Ok(())
}

async fn into_hosts(session: &Session, copies: &Path) -> Result<(), Error> {
    let hosts = session.service_hosts().await?;
    let connections = session.connect_all(&hosts).await?;
    try_join_all(connections.iter().map(|it| upload(it, copies))).await?;
    let replaced: Result<Vec<()>, Error> =
        join_all(connections.iter().map(replace)).await.into_iter().collect();
    let (step, outcome) = match replaced {
        Ok(_) => (DataStep::Forget, "has the backup's data"),
        Err(_) => (DataStep::Undo, "has the data from before"),
    };
    let ended = connections.iter().map(|connection| async {
        let ended = run_step(connection, step).await;
        match &ended {
            Ok(()) => connection.reporter.done(outcome),
            Err(error) => connection.reporter.failed(error.headline()),
        }
        ended
    });
    let ended = join_all(ended).await;
    replaced?;
    ended.into_iter().collect()
}

/// Uploads the copy to the host, which changes nothing yet.
async fn upload(connection: &Connection<'_>, copies: &Path) -> Result<(), Error> {
    connection.reporter.step("uploading its data");
    let copy = backup::copy_in(copies, connection.service.name.as_str());
    let uploaded =
        docker::upload_copy(&connection.host, connection.service, &copy, connection.reporter).await;
    Ok(uploaded.inspect_err(|error| connection.reporter.failed(error.to_string()))?)
}

/// Replaces the data, and waits until the service is ready with them.
async fn replace(connection: &Connection<'_>) -> Result<(), Error> {
    connection.reporter.step("replacing its data");
    run_step(connection, DataStep::Replace).await?;
    connection.wait_ready(READY_TIMEOUT).await.map(drop)
}

async fn run_step(connection: &Connection<'_>, step: DataStep) -> Result<(), Error> {
    Ok(docker::run_data(&connection.host, connection.service, step).await?)
}
