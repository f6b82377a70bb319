//! `eventpost deploy` and `eventpost rollback`.

use std::process::ExitCode;
use std::time::Duration;

use super::address;
use super::create::Created;
use super::execute::{self, Executed};
use super::rollout::{self, Purpose};
use super::switch::{Containers, Row, switch_all};
use crate::cli::{Deploy, Rollback};
use crate::commands::operations;
use crate::config::Access;
use crate::docker;
use crate::error::Error;
use crate::secrets;
use crate::session::{Connection, Grants, Session};

const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// What an interrupt leaves: the script on a host runs to its end by itself.
const LEFT: &str = "each service runs either the old or the new release; `eventpost status` says \
    which, and running the same command again completes it";

pub(crate) async fn deploy(args: &Deploy) -> Result<ExitCode, Error> {
    let session = Session::open(&args.stack, &(&args.hosts).into())?;
    session.check_placement()?;
    secrets::check(&session.config)?;
    if args.dry_run {
        let plan = session.inspect(async {
            let hosts = session.service_hosts().await?;
            let mut plan = rollout::preview(&session, &hosts, &args.token, Purpose::Deploy).await?;
            plan.operations.splice(0..0, address::operations(&session, &hosts).await?);
            Ok::<_, Error>(plan)
        });
        let plan = plan.await?;
        return operations::print(session, &plan, args.output.format);
    }
    let rows = session
        .locked("deploy", async || session.run(LEFT, deploy_all(args, &session)).await)
        .await?;
    session.print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

async fn deploy_all(args: &Deploy, session: &Session) -> Result<Vec<Row>, Error> {
    let mut hosts = session.service_hosts().await?;
    if address::correct(session, &hosts).await? {
        // A host that gets an address loses the one that it had.
        hosts = session.service_hosts().await?;
    }
    let finish = async |executed: Executed<'_, '_>, _: &Grants| {
        let created = executed.created.into_iter().map(|(rollout, Created { url, .. })| {
            let service = rollout.connection.service.name.to_string();
            let image = Some(rollout.artifact.image().to_owned());
            Row { service, outcome: "created", image, url, pause_seconds: None }
        });
        Ok(created.chain(executed.updated.into_iter().map(|(_, row)| row)).collect())
    };
    execute::run(session, &hosts, &args.token, Purpose::Deploy, "deployed", finish).await
}

pub(crate) async fn rollback(args: &Rollback) -> Result<ExitCode, Error> {
    let session = Session::open(&args.stack, &(&args.hosts).into())?;
    session.check_placement()?;
    let rows = session
        .locked("rollback", async || session.run(LEFT, roll_back_all(&session)).await)
        .await?;
    session.print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

async fn roll_back_all(session: &Session) -> Result<Vec<Row>, Error> {
    let hosts = session.service_hosts().await?;
    let connections = session.connect_all(&hosts).await?;
    // A second rollback returns to where the first one began.
    let roll_back = async |connection: &Connection<'_>| {
        connection.reporter.step("rolling back");
        Ok(docker::rollback(&connection.host, connection.service).await?)
    };
    let rows = switch_all(&connections, Containers::Kept, roll_back, roll_back).await?;
    if session.access() == Access::Tokens {
        for connection in &connections {
            warn_if_open(connection).await?;
        }
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// Warns if the old container gives access to everybody: a container keeps the settings that it
/// was created with.
async fn warn_if_open(connection: &Connection<'_>) -> Result<(), Error> {
    if connection.wait_ready(READY_TIMEOUT).await?.about.is_open() {
        connection.reporter.warning(
            "everybody may read, change and delete everything, as before the deploy: `eventpost \
             rollback` or `eventpost deploy` restores access control",
        );
    }
    Ok(())
}
