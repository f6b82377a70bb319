//! Runs a service on a host that has no container of it.

use std::future;

use futures_util::FutureExt;

use super::rollout::{Purpose, Rollout};
use crate::deploy::{self, Deployment, InitialData, Step, Stopwatch};
use crate::error::Error;
use crate::session::{Connection, Grants, Session, url_of};

/// A service whose container was created.
pub(crate) struct Created {
    /// Its collection.
    pub(crate) url: String,
    /// How long each step took, in order.
    pub(crate) steps: Vec<Step>,
}

/// Runs the service of a rollout, with the data that its volume holds.
pub(super) async fn create(
    session: &Session,
    rollout: &Rollout<'_>,
    grants: &Grants,
    purpose: Purpose<'_>,
) -> Result<Created, Error> {
    let Connection { found, service, reporter, .. } = &rollout.connection;
    let artifact = future::ready(Ok(rollout.artifact.clone())).boxed_local().shared();
    let (docker, target) = (session.config.docker, found.target.clone());
    let data = match purpose.fixtures(service).filter(|_| rollout.seeds()) {
        Some(fixtures) => InitialData::Fixtures(fixtures),
        None => InitialData::Existing,
    };
    let tokens = grants.list_and_token();
    let deployment = Deployment { service, docker, target, artifact, data, tokens, tls: None };
    let mut watch = Stopwatch::start();
    let deployed = deploy::deploy(&deployment, async |_| Ok(()), *reporter, &mut watch).await;
    let (_, ready) = deployed.inspect_err(|error| reporter.failed(error.headline()))?;
    let url = url_of(service, ready.endpoint());
    reporter.done(format!("serves at {url}"));
    Ok(Created { url, steps: watch.steps() })
}
