//! `eventpost up --hosts`: installs Docker and runs the services on hosts that exist. Services
//! that run already are updated as `deploy` does.

use std::process::ExitCode;
use std::time::Duration;

use super::Row;
use crate::cli::{self, Up};
use crate::commands::change::execute::{self, Executed};
use crate::commands::change::rollout::{self, Purpose};
use crate::error::Error;
use crate::fixtures::{AllFixtures, Fixtures};
use crate::plan::Plan;
use crate::seed;
use crate::session::{Connection, Grants, Session, url_of};

/// The service ran a moment ago.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// What an interrupt leaves.
const LEFT: &str = "run the same command again to complete it";

pub(super) async fn run(
    args: &Up,
    session: Session,
    fixtures: &AllFixtures,
) -> Result<ExitCode, Error> {
    let work = async || session.run(LEFT, bring_up_all(args, &session, fixtures)).await;
    let rows = session.locked("up", work);
    let rows = rows.await?;
    super::explain_addresses(&session, &rows).await;
    session.print(&rows, args.plan.output.format)?;
    Ok(ExitCode::SUCCESS)
}

/// The operations that `up --hosts` would execute now.
pub(super) async fn plan(
    args: &cli::Plan,
    session: &Session,
    fixtures: &AllFixtures,
) -> Result<Plan, Error> {
    let purpose = Purpose::Up(Some(fixtures).filter(|_| !args.no_seed));
    let hosts = session.service_hosts().await?;
    rollout::preview(session, &hosts, &args.token, purpose).await
}

async fn bring_up_all(
    args: &Up,
    session: &Session,
    fixtures: &AllFixtures,
) -> Result<Vec<Row>, Error> {
    let purpose = Purpose::Up(Some(fixtures).filter(|_| !args.plan.no_seed));
    let hosts = session.service_hosts().await?;
    let finish = async |executed: Executed<'_, '_>, grants: &Grants| {
        finish_all(executed, grants, purpose).await
    };
    execute::run(session, &hosts, &args.plan.token, purpose, "updated", finish).await
}

/// Seeds the services that ran before, and returns what was done to all of them.
async fn finish_all(
    executed: Executed<'_, '_>,
    grants: &Grants,
    purpose: Purpose<'_>,
) -> Result<Vec<Row>, Error> {
    let row = |connection: &Connection<'_>, outcome, url, steps| {
        let service = connection.service.name.to_string();
        let address = connection.address();
        Row { service, outcome, host: address.to_string(), address: Some(address), url, steps }
    };
    let created = executed.created.into_iter();
    let mut rows: Vec<_> =
        created.map(|(it, done)| row(&it.connection, "created", done.url, done.steps)).collect();
    for (rollout, done) in executed.updated {
        let connection = &rollout.connection;
        if let Some(fixtures) = purpose.fixtures(connection.service).filter(|_| rollout.seeds()) {
            seed_running(connection, fixtures, grants).await?;
        }
        rows.push(row(connection, done.outcome, done.url, Vec::new()));
    }
    Ok(rows)
}

async fn seed_running(
    connection: &Connection<'_>,
    fixtures: &Fixtures,
    grants: &Grants,
) -> Result<(), Error> {
    let Connection { service, reporter, .. } = connection;
    reporter.step("seeding");
    let ready = connection.wait_ready(READY_TIMEOUT).await?;
    let ready = match grants.list_and_token() {
        Some((_, token)) => ready.with_client(connection.client(token.cloned())),
        None => ready,
    };
    seed::apply(&ready, &service.collection(), fixtures, false, *reporter).await?;
    reporter.done(format!("serves at {}", url_of(service, ready.endpoint())));
    Ok(())
}
