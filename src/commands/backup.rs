//! `eventpost backup`: the data of all services in one file, while they run.

use std::path::Path;
use std::process::ExitCode;

use futures_util::future::try_join_all;
use loadtest::now;
use rest::store;
use serde::Serialize;
use ssh::Progress;
use support::event::EventSink;

use crate::backup::{self, BackupError, CopyWriter, Part};
use crate::cli::Backup;
use crate::commands::destination::Destination;
use crate::commands::endpoints::{self, ServiceHost};
use crate::commands::site::Site;
use crate::config::{self, Config};
use crate::docker::{self, DataStep};
use crate::error::Error;
use crate::local::StackFolder;
use crate::progress;
use crate::report::{self, Cell, Table};
use crate::signals::Signals;

/// What makes a copy a bad one on its way, as a rule.
const GREETING: &str = ". What the login shell of a host prints is put before the copy: have it \
    print nothing where it is not interactive";

/// A row of the result, of a backup and of a restoration.
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
    let mut signals = Signals::listen()?;
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    // Who can read the file can read the data.
    let mut destination = Destination::private(&args.backup)?;
    let folder = backup::folder_beside(&args.backup)?;
    let display = progress::display();
    let work = async {
        if args.placement.local {
            local(args, &config, folder.path())
        } else {
            from_hosts(args, &config, folder.path(), display.as_ref()).await
        }
    };
    let copied = signals.race(work).await;
    drop(display);
    let parts = copied.map_err(|caught| caught.into_error("there is no new backup"))??;
    check_copies(args, &parts, folder.path())?;
    let stack = config.stack.as_str();
    destination.prepare(|to| backup::pack(stack, now(), parts.clone(), folder.path(), to))?;
    backup::verify(&args.backup, destination.reopen()?, &parts)?;
    destination.commit()?;
    let rows: Vec<_> = parts.into_iter().map(Row::from).collect();
    report::print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Checks that each copy can be restored, while another one can still be taken.
fn check_copies(args: &Backup, parts: &[Part], folder: &Path) -> Result<(), Error> {
    let hint = if args.placement.local { "" } else { GREETING };
    for Part { service, .. } in parts {
        let checked = backup::check_copy(folder, service);
        checked.map_err(|why| BackupError::BadCopy { service: service.clone(), why, hint })?;
    }
    Ok(())
}

/// Copies out of the data folders, whether the services run or not.
fn local(args: &Backup, config: &Config, folder: &Path) -> Result<Vec<Part>, Error> {
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let one = |service: &config::Service| {
        let name = service.name.as_str();
        let to = store::Destination::File(backup::copy_in(folder, name));
        store::backup(&stack.service(name).data(), collection(name), &to)?;
        Ok(backup::part_of(folder, name)?)
    };
    config.services.iter().map(one).collect()
}

/// A service's collection, as its store knows it. There are few in a process's life.
pub(super) fn collection(service: &str) -> &'static str {
    String::leak(service.to_owned())
}

async fn from_hosts(
    args: &Backup,
    config: &Config,
    folder: &Path,
    sink: &dyn EventSink,
) -> Result<Vec<Part>, Error> {
    let hosts = endpoints::hosts(config, &args.stack, &args.placement.hosts).await?;
    try_join_all(hosts.iter().map(|found| from_host(found, folder, sink))).await
}

async fn from_host(
    found: &ServiceHost,
    folder: &Path,
    sink: &dyn EventSink,
) -> Result<Part, Error> {
    let site = Site::connect(found, sink).await?;
    let copied = copy(&site, folder).await;
    copied.inspect_err(|error| site.reporter.failed(error.headline()))
}

async fn copy(site: &Site<'_>, folder: &Path) -> Result<Part, Error> {
    let Site { service, host, reporter, .. } = site;
    let name = service.name.as_str();
    reporter.step("copying its data");
    let (mut copy, mut trouble, mut bytes) = (CopyWriter::create(folder, name)?, None, 0);
    let command = docker::data(service, DataStep::Backup);
    let output = host.stream("copying the data", command, |what| {
        if let (Progress::Output(chunk), None) = (what, &trouble) {
            trouble = copy.push(&chunk).err();
            bytes += chunk.len() as u64;
            reporter.detail(format!("copying its data: {bytes} bytes"));
        }
    });
    let output = output.await?;
    if let Some(trouble) = trouble {
        return Err(trouble.into());
    }
    if !output.succeeded() {
        return Err(host.failed("copying the data", &output).into());
    }
    reporter.done(format!("{bytes} bytes"));
    Ok(copy.finish(name))
}
