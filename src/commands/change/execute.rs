//! Executes a rollout: containers are created first, then all others are updated or none.

use futures_util::future::try_join_all;

use super::create::{Created, create};
use super::rollout::{Purpose, Rollout, plan};
use super::switch::{Containers, Row, switch_all};
use crate::cli::TokenArgs;
use crate::deploy::Artifact;
use crate::docker::{self, SwitchOutcome};
use crate::error::Error;
use crate::session::{Connection, Grants, ServiceHost, Session};

/// The services that a rollout has created a container of, and all others.
pub(crate) struct Executed<'r, 'a> {
    pub(crate) created: Vec<(&'r Rollout<'a>, Created)>,
    pub(crate) updated: Vec<(&'r Rollout<'a>, Row)>,
}

/// Plans what brings the services on the hosts to what is wanted, and executes it. `outcome` is
/// the word for a service that was updated.
pub(crate) async fn run<'a, T>(
    session: &'a Session,
    hosts: &'a [ServiceHost],
    args: &TokenArgs,
    purpose: Purpose<'_>,
    outcome: &'static str,
    finish: impl AsyncFnOnce(Executed<'_, 'a>, &Grants) -> Result<T, Error>,
) -> Result<T, Error> {
    let (rollouts, tokens) = plan(session, hosts, args, purpose).await?;
    let grants = session.grant(args, tokens, purpose.ensures_token())?;
    let (new, running) = rollouts.split_at(rollouts.partition_point(Rollout::is_new));
    let created = new.iter().map(|rollout| create(session, rollout, &grants, purpose));
    let created = try_join_all(created).await?;
    let updated = update_all(running, outcome, &grants).await?;
    if updated.iter().any(|(_, row)| row.has_changed()) {
        // A rollback reverts what was updated, and leaves the others as they are. A rollout that
        // updated nothing is none that a rollback reverts.
        let unchanged = updated.iter().filter(|(_, row)| !row.has_changed()).map(|(it, _)| *it);
        for Rollout { connection, .. } in unchanged.chain(new) {
            docker::note_kept(&connection.host, connection.service).await?;
        }
    }
    let executed = Executed { created: new.iter().zip(created).collect(), updated };
    let finished = finish(executed, &grants).await?;
    grants.are_deployed()?;
    Ok(finished)
}

/// Updates services that have a container, all of them or none.
async fn update_all<'r, 'a: 'r>(
    rollouts: &'r [Rollout<'a>],
    outcome: &'static str,
    grants: &Grants,
) -> Result<Vec<(&'r Rollout<'a>, Row)>, Error> {
    // Everything is on the hosts before the first service changes.
    try_join_all(rollouts.iter().map(Rollout::upload)).await?;
    let update = async |rollout: &Rollout<'a>| rollout.update(grants).await;
    let undo = async |connection: &Connection<'a>| {
        Ok(docker::undo(&connection.host, connection.service).await?)
    };
    switch_all(rollouts, Containers::New(outcome), update, undo).await
}

impl Rollout<'_> {
    /// Uploads the image, if the container is to be updated with one that was built here.
    async fn upload(&self) -> Result<(), Error> {
        let Artifact::Built(image) = &self.artifact else { return Ok(()) };
        if !self.updates_container() {
            return Ok(());
        }
        let Connection { host, reporter, .. } = &self.connection;
        reporter.step("uploading the image");
        if let Some(file) = docker::upload(host, image, *reporter).await? {
            docker::load(host, image, &file).await?;
        }
        Ok(())
    }

    async fn update(&self, grants: &Grants) -> Result<SwitchOutcome, Error> {
        let Connection { service, host, reporter, .. } = &self.connection;
        // Every container of the service reads this list: going back restores no revoked token.
        // It is written even if it is the same, since an earlier run may have been cut off
        // before the service read it.
        grants.write(host, service).await?;
        if !self.updates_container() {
            return Ok(SwitchOutcome::Unchanged);
        }
        reporter.step("switching");
        Ok(docker::deploy(host, service, self.artifact.image()).await?)
    }
}
