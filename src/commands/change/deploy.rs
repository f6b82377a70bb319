//! `eventpost deploy` and `eventpost rollback`.

use std::process::ExitCode;

use futures_util::future::try_join_all;
use support::event::{EventSink, Reporter};

use super::{READY_LIMIT, Row, switch_all};
use crate::cli::Change;
use crate::commands::access;
use crate::commands::endpoints;
use crate::commands::keeper::keeper;
use crate::commands::site::Site;
use crate::config::{self, Access, Config, Placement};
use crate::deploy::{self, Artifact};
use crate::docker;
use crate::error::Error;
use crate::local::StackFolder;
use crate::progress;
use crate::report;
use crate::secrets;
use crate::signals::Signals;

/// What an interrupt leaves: a host's script goes on to its end by itself.
const LEFT: &str = "each service runs as before or anew; `eventpost status` says which, and the \
    same command again finishes";

pub(crate) async fn deploy(args: &Change) -> Result<ExitCode, Error> {
    change(args, "deploy", async |config, sites, display| {
        secrets::check(config)?;
        let hosts: Vec<_> = sites.iter().map(|site| (&site.host, site.service)).collect();
        let reporter = Reporter::new(display, "access");
        let grants =
            access::for_hosts(config, (&args.stack, &args.token), &hosts, false, reporter).await?;
        // Everything is on the hosts before the first service changes.
        let images = sites.iter().zip(&config.services).map(|(site, service)| async {
            let artifact = deploy::make(config, service, display).await.map_err(Error::Binary)?;
            match artifact {
                Artifact::Registry(name) => Ok(name),
                Artifact::Built(image) => {
                    site.reporter.step("uploading the image");
                    if let Some(file) = docker::upload(&site.host, &image, site.reporter).await? {
                        docker::load(&site.host, &file).await?;
                    }
                    Ok::<_, Error>(image.tag)
                }
            }
        });
        let images = try_join_all(images.collect::<Vec<_>>()).await?;
        let to = async |number: usize, site: &Site<'_>| {
            // Whichever container runs reads them: going back takes no token back.
            grants.write(&site.host, site.service).await?;
            site.reporter.step("switching");
            let (image, who) = (&images[number], docker::who());
            Ok(docker::deploy(&site.host, site.service, image, &who).await?)
        };
        let back = async |site: &Site<'_>| {
            Ok(docker::undo(&site.host, site.service, &docker::who()).await?)
        };
        let rows = switch_all(sites, "deployed", to, back).await?;
        grants.are_deployed()?;
        // A deploy that changed nothing at all is none to go back before.
        if rows.iter().any(Row::has_changed) {
            for (site, _) in sites.iter().zip(&rows).filter(|(_, row)| !row.has_changed()) {
                docker::note_kept(&site.host, site.service).await?;
            }
        }
        Ok(rows)
    })
    .await
}

pub(crate) async fn rollback(args: &Change) -> Result<ExitCode, Error> {
    change(args, "rollback", async |config, sites, _| {
        // Taken twice, it leads to where it began.
        let switch = async |site: &Site<'_>| {
            site.reporter.step("going back");
            Ok(docker::rollback(&site.host, site.service, &docker::who()).await?)
        };
        let to = async |_: usize, site: &Site<'_>| switch(site).await;
        let rows = switch_all(sites, "rolled back", to, &switch).await?;
        if config.access_at(Placement::Hosts) == Access::Tokens {
            for site in sites {
                warn_of_open(site).await?;
            }
        }
        Ok(rows)
    })
    .await
}

/// Says so where what was gone back to lets everybody in: a container keeps the settings
/// that it had.
async fn warn_of_open(site: &Site<'_>) -> Result<(), Error> {
    if site.wait_ready(READY_LIMIT).await?.about.is_open() {
        site.reporter.warning(
            "everybody may read, change and delete everything again, as before the deploy: \
             `eventpost rollback` or `eventpost deploy` closes it",
        );
    }
    Ok(())
}

/// Connects to all hosts and changes what runs there.
async fn change(
    args: &Change,
    purpose: &str,
    work: impl AsyncFnOnce(&Config, &[Site<'_>], &dyn EventSink) -> Result<Vec<Row>, Error>,
) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let _lock = stack.lock()?;
    let display = progress::display();
    let reporter = Reporter::new(display.as_ref(), "stack");
    let keeper = signals.race(keeper(&config, &args.stack, &args.hosts.named, reporter)).await;
    let keeper = keeper.map_err(|caught| caught.into_error("nothing was changed"))??;
    let work = async |signals: &mut Signals| {
        let work = async {
            let hosts = endpoints::hosts(&config, &args.stack, &args.hosts.named).await?;
            let sites = Site::connect_all(&hosts, display.as_ref()).await?;
            work(&config, &sites, display.as_ref()).await
        };
        signals.race(work).await.map_err(|caught| caught.into_error(LEFT))?
    };
    let rows = keeper.hold(purpose, &mut signals, reporter, work).await;
    drop(display);
    report::print(&rows?, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}
