//! Plans what brings services on hosts to what is wanted.

use futures_util::future::try_join_all;
use ssh::Host;

use crate::access::Token;
use crate::cli::TokenArgs;
use crate::config::{DockerSource, Service};
use crate::deploy::{self, Artifact, reach};
use crate::docker;
use crate::error::Error;
use crate::fixtures::{AllFixtures, Fixtures};
use crate::plan::container::{self, ContainerState, DockerInstaller, HostState};
use crate::plan::{Action, Operation, Plan};
use crate::seed;
use crate::session::{Connection, HostTokens, ServiceHost, Session};

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
    pub(super) fn is_new(&self) -> bool {
        self.operations.iter().any(|it| matches!(it.action, Action::CreateContainer { .. }))
    }

    pub(super) fn updates_container(&self) -> bool {
        self.operations.iter().any(|it| matches!(it.action, Action::UpdateContainer { .. }))
    }

    /// Whether fixtures are added.
    pub(crate) fn seeds(&self) -> bool {
        self.operations.iter().any(|it| matches!(it.action, Action::Seed { .. }))
    }
}

/// Compares the hosts with what is wanted. The rollouts are in the order of execution. Fails if
/// one of the hosts is in a state that the command does not change.
pub(super) async fn plan<'a>(
    session: &'a Session,
    hosts: &'a [ServiceHost],
    args: &TokenArgs,
    purpose: Purpose<'_>,
) -> Result<(Vec<Rollout<'a>>, HostTokens), Error> {
    let connections = session.connect_all(hosts).await?;
    let pairs = hosts_with_services(&connections);
    let tokens = session.planned_tokens(args, &pairs, purpose.ensures_token()).await?;
    let token = session.token(args)?;
    let plans = connections
        .into_iter()
        .map(|connection| plan_one(session, connection, &tokens, token.as_ref(), purpose));
    let mut rollouts = try_join_all(plans).await?;
    rollouts.sort_by_key(|rollout| !rollout.is_new());
    Ok((rollouts, tokens))
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
        None => reach(&connection.host, connection.service, connection.found.endpoint()),
    };
    seed::missing(connection.service, client, fixtures).await
}

/// The hosts of connections, each with its service.
fn hosts_with_services<'c>(connections: &'c [Connection<'_>]) -> Vec<(&'c Host, &'c Service)> {
    connections.iter().map(|connection| (&connection.host, connection.service)).collect()
}

/// The operations of a rollout, without executing them.
pub(crate) async fn preview(
    session: &Session,
    hosts: &[ServiceHost],
    args: &TokenArgs,
    purpose: Purpose<'_>,
) -> Result<Plan, Error> {
    let (rollouts, _) = plan(session, hosts, args, purpose).await?;
    let operations = rollouts.into_iter().flat_map(|rollout| {
        rollout.connection.reporter.done("compared");
        rollout.operations
    });
    Ok(Plan::new(session.stack(), operations.collect()))
}
