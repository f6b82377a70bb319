//! `eventpost up --hosts`: the same pipeline on machines that exist. They are kept, and
//! so are their data.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::ExitCode;

use futures_util::future::try_join_all;
use support::event::{EventSink, Reporter};

use super::row::Row;
use crate::cli::Up;
use crate::commands::access::{self, Grants};
use crate::commands::keeper::keeper;
use crate::commands::{self, endpoints, hosts};
use crate::config::{Config, Placement};
use crate::deploy::{self, Begin, Site, Stopwatch};
use crate::error::Error;
use crate::fixtures;
use crate::local::StackFolder;
use crate::progress;
use crate::report;
use crate::secrets;
use crate::signals::Signals;

pub(super) async fn run(
    args: &Up,
    config: &Config,
    addresses: &BTreeMap<String, IpAddr>,
) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let _lock = stack.lock()?;
    let identity = hosts::identity(config, &stack)?;
    let display = progress::display();
    let fixtures = fixtures::load_all(config)?;
    secrets::check(config)?;
    let reporter = Reporter::new(display.as_ref(), "stack");
    let keeper = signals.race(keeper(config, &args.stack, &args.placement.hosts, reporter)).await;
    let keeper = keeper.map_err(|caught| caught.into_error("nothing was changed"))??;
    let places = config.services.iter().map(|service| {
        let url = endpoints::urls(service, addresses[service.name.as_str()], None);
        (service.name.to_string(), url)
    });
    let config = &config.placed(&places.collect(), Placement::Hosts);
    let work = async |signals: &mut Signals| {
        let work = async {
            let grants = grants(args, config, display.as_ref()).await?;
            let mut all = Vec::new();
            for (service, fixtures) in config.services.iter().zip(&fixtures) {
                let address = addresses[service.name.as_str()];
                let target = hosts::known_target(config, service, address, &identity);
                let artifact = deploy::make(config, service, display.as_ref());
                let (docker, begin) = (config.docker, Begin::with(fixtures, args.no_seed));
                let tokens = grants.tokens();
                let site = Site { service, docker, target, artifact, begin, tokens };
                all.push(bring_up(site, display.as_ref()));
            }
            let rows = try_join_all(all).await?;
            grants.are_deployed()?;
            Ok::<Vec<Row>, Error>(rows)
        };
        let outcome = signals.race(work).await;
        outcome.map_err(|caught| caught.into_error("run the same command again to go on"))?
    };
    let rows = keeper.hold("up", &mut signals, reporter, work).await;
    let rows = rows?;
    super::tell_about_https(display.as_ref());
    drop(display);
    report::print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

/// The tokens of the hosts as they are, brought together with those of this machine.
async fn grants(args: &Up, config: &Config, sink: &dyn EventSink) -> Result<Grants, Error> {
    let found = endpoints::hosts(config, &args.stack, &args.placement.hosts).await?;
    let sites = commands::site::Site::connect_all(&found, sink).await?;
    let hosts: Vec<_> = sites.iter().map(|site| (&site.host, site.service)).collect();
    access::for_hosts(
        config,
        (&args.stack, &args.token),
        &hosts,
        true,
        Reporter::new(sink, "access"),
    )
    .await
}

async fn bring_up(site: Site<'_, '_>, display: &dyn EventSink) -> Result<Row, Error> {
    let service = site.service;
    let reporter = Reporter::new(display, service.name.as_str());
    let mut watch = Stopwatch::start();
    let ready = deploy::deploy(&site, async |_| Ok(()), reporter, &mut watch).await;
    let (_, ready) = ready.inspect_err(|error| reporter.failed(error.headline()))?;
    let url = ready.endpoint().url(&service.collection());
    reporter.done(format!("serves at {url}"));
    let host = site.target.address.ip().to_string();
    Ok(Row { service: service.name.to_string(), host, url, steps: watch.steps() })
}
