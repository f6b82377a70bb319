//! `eventpost up --hosts`: installs Docker and runs the services on hosts that exist. Services
//! that run already are updated as `deploy` does.

use std::future;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::try_join_all;

use super::{AllFixtures, Row};
use crate::cli::{self, Up};
use crate::commands::change::rollout::{self, Purpose, Rollout};
use crate::deploy::{self, Deployment, InitialData, Stopwatch};
use crate::error::Error;
use crate::fixtures::Fixtures;
use crate::plan::Plan;
use crate::seed;
use crate::session::{Connection, Grants, Session};

/// The service ran a moment ago.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// What an interrupt leaves.
const LEFT: &str = "run the same command again to complete it";

pub(super) async fn run(
    args: &Up,
    session: Session,
    fixtures: &AllFixtures,
) -> Result<ExitCode, Error> {
    session.ensure_identity()?;
    let work = async || session.run(LEFT, bring_up_all(args, &session, fixtures)).await;
    let rows = session.locked("up", work);
    let rows = rows.await?;
    super::suggest_https(&session);
    session.print(&rows, args.plan.output.format)?;
    Ok(ExitCode::SUCCESS)
}

/// The operations that `up --hosts` would execute now.
pub(super) async fn plan(args: &cli::Plan, session: &Session) -> Result<Plan, Error> {
    let hosts = session.service_hosts().await?;
    rollout::preview(session, &hosts, &args.token, Purpose::Up).await
}

async fn bring_up_all(
    args: &Up,
    session: &Session,
    fixtures: &AllFixtures,
) -> Result<Vec<Row>, Error> {
    let hosts = session.service_hosts().await?;
    let connections = session.connect_all(&hosts).await?;
    let pairs = rollout::hosts_with_services(&connections);
    let purpose = Purpose::Up;
    let grants = session.host_grants(&args.plan.token, &pairs, purpose.ensures_token()).await?;
    let rollouts = rollout::plan(session, connections, &grants.tokens, purpose).await?;
    let (new, running): (Vec<_>, Vec<_>) = rollouts.into_iter().partition(Rollout::is_new);
    let created = new.iter().map(|rollout| {
        let fixtures = &fixtures[&rollout.connection.service.name];
        create(session, rollout, InitialData::seeded(fixtures, args.no_seed), &grants)
    });
    let mut rows = try_join_all(created).await?;
    let updated = rollout::execute(&running, "updated", &grants).await?;
    if updated.iter().any(|(_, row)| row.has_changed()) {
        // A rollback reverts what was updated, and leaves the new containers as they are.
        let kept = new.iter().map(|it| rollout::note_kept(&it.connection));
        try_join_all(kept).await?;
    }
    for (rollout, row) in updated {
        if !args.no_seed {
            let fixtures = &fixtures[&rollout.connection.service.name];
            seed_running(&rollout.connection, fixtures, &grants).await?;
        }
        let host = rollout.connection.address().to_string();
        let (service, url, steps) = (row.service, row.url, Vec::new());
        rows.push(Row { service, outcome: row.outcome, host, url, steps });
    }
    grants.are_deployed()?;
    Ok(rows)
}

/// Runs a service on a host that has no container of it.
async fn create(
    session: &Session,
    rollout: &Rollout<'_>,
    data: InitialData<'_>,
    grants: &Grants,
) -> Result<Row, Error> {
    let Connection { found, service, reporter, .. } = &rollout.connection;
    let artifact = future::ready(Ok(rollout.artifact.clone())).boxed_local().shared();
    let (docker, target) = (session.config.docker, found.target.clone());
    let tokens = grants.list_and_token();
    let deployment = Deployment { service, docker, target, artifact, data, tokens };
    let mut watch = Stopwatch::start();
    let deployed = deploy::deploy(&deployment, async |_| Ok(()), *reporter, &mut watch).await;
    let (_, ready) = deployed.inspect_err(|error| reporter.failed(error.headline()))?;
    let url = ready.endpoint().url(&service.collection());
    reporter.done(format!("serves at {url}"));
    let (service, host) = (service.name.to_string(), rollout.connection.address().to_string());
    Ok(Row { service, outcome: "created", host, url, steps: watch.steps() })
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
    reporter.done(format!("serves at {}", ready.endpoint().url(&service.collection())));
    Ok(())
}
