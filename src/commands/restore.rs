//! `eventpost restore`: the data of a backup in place of what the services hold. Either
//! all services have it in the end, or all have what they had.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use rest::data_dir::DataDir;
use rest::store;
use support::event::{EventSink, Reporter};

use super::backup::{Row, collection};
use crate::backup::{self, BackupError, Manifest};
use crate::cli::Restore;
use crate::commands::confirm::confirm;
use crate::commands::endpoints;
use crate::commands::keeper::keeper;
use crate::commands::site::Site;
use crate::config::{self, Config};
use crate::docker::{self, DataStep};
use crate::error::Error;
use crate::local::{self, StackFolder};
use crate::progress;
use crate::report;
use crate::signals::Signals;

const READY_LIMIT: Duration = Duration::from_secs(120);
/// What an interrupt leaves.
const LEFT: &str = "each service has whole data, of the backup or of before; restore again for \
    all to have the backup's";

pub(super) async fn run(args: &Restore) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let folder = backup::folder_beside(&args.backup)?;
    let manifest = unpack(args, &config, folder.path())?;
    let _lock = stack.lock()?;
    if !args.yes {
        confirm(&mut signals, question(&config, &manifest)).await?;
    }
    let (copies, display) = (folder.path(), progress::display());
    let restored = if args.placement.local {
        let restored = signals.race(into_folders(&stack, &config, copies)).await;
        restored.map_err(|caught| caught.into_error(LEFT)).flatten()
    } else {
        let reporter = Reporter::new(display.as_ref(), "stack");
        let keeper =
            signals.race(keeper(&config, &args.stack, &args.placement.hosts, reporter)).await;
        let keeper = keeper.map_err(|caught| caught.into_error("nothing was changed"))??;
        let work = async |signals: &mut Signals| {
            let restored = into_hosts(args, &config, copies, display.as_ref());
            signals.race(restored).await.map_err(|caught| caught.into_error(LEFT))?
        };
        keeper.hold("restore", &mut signals, reporter, work).await
    };
    drop(display);
    restored?;
    let rows: Vec<_> = manifest.services.into_iter().map(Row::from).collect();
    report::print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Unpacks the backup and checks all of it. A backup of other services is one of another
/// stack.
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
        "The data of stack {} will be replaced by those of {}, of {}. Go on?",
        config.stack, manifest.stack, manifest.created
    )
}

/// Into the data folders of services that do not run.
async fn into_folders(stack: &StackFolder, config: &Config, copies: &Path) -> Result<(), Error> {
    let mut locked = Vec::new();
    for service in &config.services {
        let name = service.name.as_str();
        let folder = stack.service(name);
        if local::find(&folder).await?.is_some() {
            return Err(Error::Failed(format!(
                "{name} runs: `eventpost down --local` stops it, `eventpost up --local` starts it \
                 again"
            )));
        }
        folder.create()?;
        let data = DataDir::lock(&folder.data()).map_err(local::LocalError::from)?;
        locked.push((name, data));
    }
    // Each is verified before it takes the place of what there is; before the first one
    // does, all of them are known to be as they were made.
    for (name, data) in &locked {
        store::restore(data, collection(name), &backup::copy_in(copies, name), true)?;
    }
    Ok(())
}

async fn into_hosts(
    args: &Restore,
    config: &Config,
    copies: &Path,
    sink: &dyn EventSink,
) -> Result<(), Error> {
    let hosts = endpoints::hosts(config, &args.stack, &args.placement.hosts).await?;
    let sites = Site::connect_all(&hosts, sink).await?;
    try_join_all(sites.iter().map(|site| upload(site, copies))).await?;
    let replaced = join_all(sites.iter().map(replace)).await;
    let step = if replaced.iter().all(Result::is_ok) { DataStep::Forget } else { DataStep::Undo };
    let ended = join_all(sites.iter().map(|site| run_step(site, step))).await;
    let word = if step == DataStep::Forget { "has the backup's data" } else { "has what it had" };
    for (site, ended) in sites.iter().zip(&ended) {
        match ended {
            Ok(()) => site.reporter.done(word),
            Err(error) => site.reporter.failed(error.headline()),
        }
    }
    replaced.into_iter().chain(ended).collect()
}

/// Brings the copy to the host; nothing is changed by that.
async fn upload(site: &Site<'_>, copies: &Path) -> Result<(), Error> {
    site.reporter.step("uploading its data");
    let copy = backup::copy_in(copies, site.service.name.as_str());
    let uploaded = docker::upload_copy(&site.host, site.service, &copy, site.reporter).await;
    Ok(uploaded.inspect_err(|error| site.reporter.failed(error.to_string()))?)
}

/// Replaces the data, and waits until the service is ready with them.
async fn replace(site: &Site<'_>) -> Result<(), Error> {
    site.reporter.step("replacing its data");
    run_step(site, DataStep::Replace).await?;
    site.wait_ready(READY_LIMIT).await.map(drop)
}

async fn run_step(site: &Site<'_>, step: DataStep) -> Result<(), Error> {
    Ok(docker::run_data(&site.host, site.service, step).await?)
}
