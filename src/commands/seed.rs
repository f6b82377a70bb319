//! `eventpost seed`: adds fixtures to services that run.

use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use support::http::{Client, ServiceUrl};
use support::wait::Deadline;

use crate::cli::{Output, Seed};
use crate::config::Service;
use crate::error::Error;
use crate::fixtures::{self, Fixtures};
use crate::health;
use crate::report::{Cell, Table};
use crate::seed;
use crate::session::{Session, given_token, refuse_unencrypted};

/// The services should be running already.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// What an interrupt leaves, before and while fixtures are added.
const NOTHING_ADDED: &str = "nothing was added";
const LEFT: &str = "the fixtures added so far stay; seed again to add the rest";

/// A service to seed.
struct Target {
    service: Service,
    client: Client,
    fixtures: Fixtures,
}

impl Target {
    fn new(session: &Session, service: Service, client: Client) -> Result<Self, Error> {
        let fixtures = fixtures::load(&session.config.origin, &service)?;
        Ok(Self { service, client, fixtures })
    }
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
    let session = Session::open(&args.stack, &args.placement)?;
    let targets = if args.url.is_empty() {
        session.run(NOTHING_ADDED, targets(args, &session)).await?
    } else {
        named_targets(args, &session)?
    };
    let seeds = targets.iter().map(|target| seed_one(target, args.force, &session));
    let results = session.run(LEFT, async { Ok::<_, Error>(join_all(seeds).await) }).await?;
    drop(targets);
    // If one service cannot be seeded, the others are seeded and printed all the same.
    let (rows, errors): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    if rows.is_empty() && args.output.format == Output::Text {
        session.close();
    } else {
        session.print(&rows, args.output.format)?;
    }
    match errors.into_iter().find_map(Result::err) {
        Some(error) => Err(error),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// The services of the stack.
async fn targets(args: &Seed, session: &Session) -> Result<Vec<Target>, Error> {
    let clients = session.clients(&args.token, |_| true).await?;
    clients.into_iter().map(|(service, client)| Target::new(session, service, client)).collect()
}

/// The services that `--url` names.
fn named_targets(args: &Seed, session: &Session) -> Result<Vec<Target>, Error> {
    let token = session.own_token(&args.token)?;
    let given = given_token(&args.token)?;
    let target = |url: &ServiceUrl| {
        let service = session
            .service(&url.service)
            .map_err(|error| Error::Request(format!("--url {}=…: {error}", url.service)))?;
        refuse_unencrypted(&url.endpoint, given.as_ref())?;
        let client = Client::local(url.endpoint.clone(), token.clone());
        Target::new(session, service.clone(), client)
    };
    args.url.iter().map(target).collect()
}

async fn seed_one(target: &Target, force: bool, session: &Session) -> Result<Row, Error> {
    let Target { service, client, fixtures } = target;
    let reporter = session.reporter(service.name.as_str());
    let work = async {
        reporter.step("seeding");
        let name = service.name.as_str();
        let deadline = Deadline::after(READY_TIMEOUT);
        let ready = health::wait_ready(name, client, &service.health, deadline, reporter).await?;
        let collection = service.collection();
        let seeded = seed::apply(&ready, &collection, fixtures, force, reporter).await?;
        reporter.done(format!("{} added, {} already present", seeded.added, seeded.present));
        let (service, url) = (service.name.to_string(), client.endpoint().url(&collection));
        Ok(Row { service, url, added: seeded.added, present: seeded.present })
    };
    work.await.inspect_err(|error: &Error| {
        reporter.failed(error.headline());
    })
}
