//! Brings services that run on hosts to what is wanted: compares, plans, and executes the plan
//! for all services or for none.

use futures_util::future::try_join_all;
use ssh::Host;

use super::switch::{Row, switch_all};
use crate::cli::TokenArgs;
use crate::config::{DockerSource, Service};
use crate::deploy::{self, Artifact};
use crate::docker::{self, SwitchOutcome};
use crate::error::Error;
use crate::plan::container::{self, HostState, NewContainers};
use crate::plan::{Action, Operation, Plan};
use crate::session::{Connection, Grants, HostTokens, ServiceHost, Session};

/// The command that a rollout is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `eventpost up`
    Up,
    /// `eventpost deploy`
    Deploy,
}

impl Purpose {
    /// Whether this user gets an access token if there is none.
    pub(crate) fn ensures_token(self) -> bool {
        self == Self::Up
    }

    fn new_containers(self, docker: DockerSource) -> NewContainers {
        match self {
            Self::Up => NewContainers::Create { install_docker: docker != DockerSource::Present },
            Self::Deploy => NewContainers::Refuse,
        }
    }
}

/// A service on a connected host, and what is done to it.
pub(crate) struct Rollout<'a> {
    pub(crate) connection: Connection<'a>,
    /// What should run.
    pub(crate) artifact: Artifact,
    /// What is done, in order.
    pub(crate) operations: Vec<Operation>,
}

impl<'a> AsRef<Connection<'a>> for Rollout<'a> {
    fn as_ref(&self) -> &Connection<'a> {
        &self.connection
    }
}

impl Rollout<'_> {
    /// Whether the host has no container of the service yet.
    pub(crate) fn is_new(&self) -> bool {
        self.operations.iter().any(|it| matches!(it.action, Action::CreateContainer { .. }))
    }

    fn updates_container(&self) -> bool {
        self.operations.iter().any(|it| matches!(it.action, Action::UpdateContainer { .. }))
    }

    /// Uploads the image, if the container is to be updated with one that was built here.
    async fn upload(&self) -> Result<(), Error> {
        let Artifact::Built(image) = &self.artifact else { return Ok(()) };
        if !self.updates_container() {
            return Ok(());
        }
        let Connection { host, reporter, .. } = &self.connection;
        reporter.step("uploading the image");
        if let Some(file) = docker::upload(host, image, *reporter).await? {
            docker::load(host, &file).await?;
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

/// Compares the hosts with what is wanted. Fails if one of them is in a state that the command
/// does not change.
pub(crate) async fn plan<'a>(
    session: &'a Session,
    connections: Vec<Connection<'a>>,
    tokens: &HostTokens,
    purpose: Purpose,
) -> Result<Vec<Rollout<'a>>, Error> {
    try_join_all(connections.into_iter().map(|it| plan_one(session, it, tokens, purpose))).await
}

async fn plan_one<'a>(
    session: &'a Session,
    connection: Connection<'a>,
    tokens: &HostTokens,
    purpose: Purpose,
) -> Result<Rollout<'a>, Error> {
    let Connection { service, host, reporter, .. } = &connection;
    let artifact = deploy::artifact(&session.config, service, session.sink()).await;
    let artifact = artifact.map_err(Error::Binary)?;
    reporter.step("comparing");
    let (docker, container) = docker::compare(host, service, artifact.image()).await?;
    let state = HostState { docker, container, has_tokens: tokens.are_on(host) };
    let new = purpose.new_containers(session.config.docker);
    let (name, address) = (service.name.as_str(), connection.address().to_string());
    let operations = container::operations(name, &address, artifact.image(), state, new);
    let operations = operations.map_err(|problem| {
        let error = Error::HostState { service: name.into(), host: address, problem };
        reporter.failed(error.headline());
        error
    })?;
    Ok(Rollout { connection, artifact, operations })
}

/// The hosts of connections, each with its service.
pub(crate) fn hosts_with_services<'c>(
    connections: &'c [Connection<'_>],
) -> Vec<(&'c Host, &'c Service)> {
    connections.iter().map(|connection| (&connection.host, connection.service)).collect()
}

/// The operations of a rollout, without executing them.
pub(crate) async fn preview(
    session: &Session,
    hosts: &[ServiceHost],
    token: &TokenArgs,
    purpose: Purpose,
) -> Result<Plan, Error> {
    let connections = session.connect_all(hosts).await?;
    let pairs = hosts_with_services(&connections);
    let tokens = session.planned_tokens(token, &pairs, purpose.ensures_token()).await?;
    let rollouts = plan(session, connections, &tokens, purpose).await?;
    let operations = rollouts.into_iter().flat_map(|rollout| {
        rollout.connection.reporter.done("compared");
        rollout.operations
    });
    Ok(Plan::new(session.stack(), operations.collect()))
}

/// Executes the operations of services that have a container, all of them or none.
pub(crate) async fn execute<'r, 'a: 'r>(
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
    let rows = switch_all(rollouts, outcome, update, undo).await?;
    // A deploy that changed nothing at all is none that a rollback reverts.
    if rows.iter().any(|(_, row)| row.has_changed()) {
        for (rollout, _) in rows.iter().filter(|(_, row)| !row.has_changed()) {
            note_kept(&rollout.connection).await?;
        }
    }
    Ok(rows)
}

/// Records that a service was not updated while others were, so that a rollback leaves it alone.
pub(crate) async fn note_kept(connection: &Connection<'_>) -> Result<(), Error> {
    Ok(docker::note_kept(&connection.host, connection.service).await?)
}
