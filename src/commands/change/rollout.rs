//! Plans what brings services on hosts to what is wanted, and executes the plan: containers are
//! created first, then all others are updated or none.

use futures_util::future::try_join_all;
use ssh::Host;
use support::http::Client;

use super::create::{Created, create};
use super::switch::{Row, switch_all};
use crate::access::Token;
use crate::cli::TokenArgs;
use crate::config::{DockerSource, Service};
use crate::deploy::{self, Artifact};
use crate::docker::{self, SwitchOutcome};
use crate::error::Error;
use crate::fixtures::{AllFixtures, Fixtures};
use crate::plan::container::{self, ContainerState, DockerInstaller, HostState};
use crate::plan::{Action, Operation, Plan};
use crate::seed;
use crate::session::{Connection, Grants, HostTokens, ServiceHost, Session};

/// The command that a rollout is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// `eventpost up`, which adds these fixtures, if any.
    Up(Option<&'a AllFixtures>),
    /// `eventpost deploy`
    Deploy,
}

impl<'a> Purpose<'a> {
    /// Whether this user gets an access token if there is none.
    pub(crate) fn ensures_token(self) -> bool {
        matches!(self, Self::Up(_))
    }

    fn installer(self, docker: DockerSource) -> DockerInstaller {
        match (docker, self) {
            (DockerSource::Present, _) => DockerInstaller::User,
            (_, Self::Up(_)) => DockerInstaller::ThisCommand,
            (_, Self::Deploy) => DockerInstaller::Up,
        }
    }

    /// The fixtures that are added to a service.
    pub(crate) fn fixtures(self, service: &Service) -> Option<&'a Fixtures> {
        match self {
            Self::Up(fixtures) => fixtures?.get(&service.name),
            Self::Deploy => None,
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
    fn is_new(&self) -> bool {
        self.operations.iter().any(|it| matches!(it.action, Action::CreateContainer { .. }))
    }

    fn updates_container(&self) -> bool {
        self.operations.iter().any(|it| matches!(it.action, Action::UpdateContainer { .. }))
    }

    /// Whether fixtures are added.
    pub(crate) fn seeds(&self) -> bool {
        self.operations.iter().any(|it| matches!(it.action, Action::Seed { .. }))
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

/// Compares the hosts with what is wanted. The result is in the order of execution. Fails if one
/// of the hosts is in a state that the command does not change.
pub(crate) async fn plan<'a>(
    session: &'a Session,
    connections: Vec<Connection<'a>>,
    tokens: &HostTokens,
    token: Option<&Token>,
    purpose: Purpose<'_>,
) -> Result<Vec<Rollout<'a>>, Error> {
    let plans = connections.into_iter().map(|it| plan_one(session, it, tokens, token, purpose));
    let mut rollouts = try_join_all(plans).await?;
    rollouts.sort_by_key(|rollout| !rollout.is_new());
    Ok(rollouts)
}

async fn plan_one<'a>(
    session: &'a Session,
    connection: Connection<'a>,
    tokens: &HostTokens,
    token: Option<&Token>,
    purpose: Purpose<'_>,
) -> Result<Rollout<'a>, Error> {
    let Connection { service, host, reporter, .. } = &connection;
    let artifact = deploy::artifact(&session.config, service, session.sink()).await;
    let artifact = artifact.map_err(Error::Binary)?;
    reporter.step("comparing");
    let (docker, container) = docker::compare(host, service, artifact.image()).await?;
    let state = HostState { docker, container, has_tokens: tokens.are_on(host) };
    let installer = purpose.installer(session.config.docker);
    let (name, address) = (service.name.as_str(), connection.address().to_string());
    let operations = container::operations(name, &address, artifact.image(), state, installer);
    let mut operations = operations.map_err(|problem| {
        let error = Error::HostState { service: name.into(), host: address, problem };
        reporter.failed(error.headline());
        error
    })?;
    let missing = missing_fixtures(&connection, container, token, purpose).await;
    operations.extend(Operation::seed(name, missing));
    Ok(Rollout { connection, artifact, operations })
}

async fn missing_fixtures(
    connection: &Connection<'_>,
    container: ContainerState,
    token: Option<&Token>,
    purpose: Purpose<'_>,
) -> usize {
    let Some(fixtures) = purpose.fixtures(connection.service) else { return 0 };
    if matches!(container, ContainerState::Missing | ContainerState::Stopped) {
        return fixtures.items.len();
    }
    let client = match token {
        Some(token) => connection.client(Some(token.clone())),
        None => Client::from(connection.found.endpoint()),
    };
    seed::missing(connection.service, client, fixtures).await
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
    args: &TokenArgs,
    purpose: Purpose<'_>,
) -> Result<Plan, Error> {
    let connections = session.connect_all(hosts).await?;
    let pairs = hosts_with_services(&connections);
    let tokens = session.planned_tokens(args, &pairs, purpose.ensures_token()).await?;
    let token = session.token(args)?;
    let rollouts = plan(session, connections, &tokens, token.as_ref(), purpose).await?;
    let operations = rollouts.into_iter().flat_map(|rollout| {
        rollout.connection.reporter.done("compared");
        rollout.operations
    });
    Ok(Plan::new(session.stack(), operations.collect()))
}

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
    let connections = session.connect_all(hosts).await?;
    let pairs = hosts_with_services(&connections);
    let tokens = session.planned_tokens(args, &pairs, purpose.ensures_token()).await?;
    let token = session.token(args)?;
    let rollouts = plan(session, connections, &tokens, token.as_ref(), purpose).await?;
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
    switch_all(rollouts, outcome, update, undo).await
}
