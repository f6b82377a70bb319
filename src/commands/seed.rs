//! `eventpost seed`: fixtures into services that run, here or at a URL.

use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use support::event::{EventSink, Reporter};
use support::http::Client;
use support::wait::Deadline;

use crate::cli::Seed;
use crate::commands::site::Site;
use crate::commands::{access, endpoints};
use crate::config::{self, Config, Service};
use crate::error::Error;
use crate::fixtures::{self, Fixtures};
use crate::health;
use crate::progress;
use crate::report::{self, Cell, Table};
use crate::seed;
use crate::signals::Signals;

/// The services are said to run already.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// A service to seed.
struct Target<'a> {
    service: &'a Service,
    client: Client,
    fixtures: Fixtures,
}

/// A row of the result.
#[derive(Debug, Serialize)]
struct Row {
    service: String,
    url: String,
    added: usize,
    present: usize,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["SERVICE", "URL", "ADDED", "PRESENT"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(Some(&self.service)),
            Cell::text(Some(&self.url)),
            Cell::text(Some(self.added)),
            Cell::text(Some(self.present)),
        ]
    }
}

pub(super) async fn run(args: &Seed) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    let display = progress::display();
    let targets = if args.url.is_empty() {
        let clients = signals.race(clients(args, &config, display.as_ref())).await;
        targets(&config, clients.map_err(|caught| caught.into_error("nothing was added"))??)?
    } else {
        named(args, &config)?
    };
    let work =
        join_all(targets.iter().map(|target| seed_one(target, args.force, display.as_ref())));
    let outcome = signals.race(work).await;
    drop(display);
    let results = outcome
        .map_err(|caught| caught.into_error("what was added stays; seed again to add the rest"))?;
    // One service's trouble keeps no other from being seeded, nor its row from being shown.
    let (rows, errors): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    report::print(&rows, args.output.format)?;
    match errors.into_iter().find_map(Result::err) {
        Some(error) => Err(error),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// How the services of the stack are reached, in their order.
async fn clients(args: &Seed, config: &Config, sink: &dyn EventSink) -> Result<Vec<Client>, Error> {
    if args.local {
        let token = access::token_for_local(config, (&args.stack, &args.token))?;
        let found = endpoints::local(args.stack.state_dir.as_deref(), config).await?;
        return Ok(found.into_iter().map(|it| Client::local(it, token.clone())).collect());
    }
    let deployed = endpoints::deployed(config, &[]).await?;
    let Some(token) = access::token_for_hosts(config, (&args.stack, &args.token))? else {
        return Ok(deployed.into_iter().map(|it| it.endpoint.into()).collect());
    };
    let hosts = endpoints::targets(config, &args.stack, deployed)?;
    let sites = Site::connect_all(&hosts, sink).await?;
    Ok(sites.iter().map(|site| site.client(Some(token.clone()))).collect())
}

/// The services of the stack with their fixtures.
fn targets<'a>(config: &'a Config, clients: Vec<Client>) -> Result<Vec<Target<'a>>, Error> {
    let target = |(service, client): (&'a Service, Client)| {
        let fixtures = fixtures::load(&config.origin, service)?;
        Ok(Target { service, client, fixtures })
    };
    config.services.iter().zip(clients).map(target).collect()
}

/// The services that `--url` names.
fn named<'a>(args: &Seed, config: &'a Config) -> Result<Vec<Target<'a>>, Error> {
    let token = access::token(config, (&args.stack, &args.token))?;
    let given = access::given(&args.token)?;
    let target = |url: &support::http::ServiceUrl| {
        let service = config.services.iter().find(|s| s.name.as_str() == url.service);
        let service = service.ok_or_else(|| {
            let known: Vec<_> = config.services.iter().map(|s| s.name.as_str()).collect();
            let (name, origin) = (&url.service, &config.origin);
            let known = known.join(", ");
            Error::Request(format!("--url {name}=…: {origin} has no service {name}, only {known}"))
        })?;
        let fixtures = fixtures::load(&config.origin, service)?;
        access::check_way(&url.endpoint, given.as_ref())?;
        let client = Client::local(url.endpoint.clone(), token.clone());
        Ok(Target { service, client, fixtures })
    };
    args.url.iter().map(target).collect()
}

async fn seed_one(target: &Target<'_>, force: bool, display: &dyn EventSink) -> Result<Row, Error> {
    let Target { service, client, fixtures } = target;
    let reporter = Reporter::new(display, service.name.as_str());
    let work = async {
        reporter.step("seeding");
        let name = service.name.as_str();
        let deadline = Deadline::after(READY_LIMIT);
        let ready = health::wait_ready(name, client, &service.health, deadline, reporter).await?;
        let collection = service.collection();
        let seeded = seed::apply(&ready, &collection, fixtures, force, reporter).await?;
        reporter.done(format!("{} added, {} were there", seeded.added, seeded.present));
        let (service, url) = (service.name.to_string(), client.endpoint().url(&collection));
        Ok(Row { service, url, added: seeded.added, present: seeded.present })
    };
    work.await.inspect_err(|error: &Error| {
        reporter.failed(error.headline());
    })
}
