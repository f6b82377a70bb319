//! Connected hosts: a service, its host over SSH, and its address.

use std::time::Duration;

use futures_util::future::try_join_all;
use ssh::Host;
use support::event::{EventSink, Reporter};
use support::http::{Client, Endpoint};
use support::wait::Deadline;

use crate::access::Token;
use crate::commands::endpoints::ServiceHost;
use crate::config::Service;
use crate::error::Error;
use crate::health::{self, Ready};

/// A host that is up answers at once.
const SSH_LIMIT: Duration = Duration::from_secs(30);

/// A service on a host that is connected to.
pub(super) struct Site<'a> {
    pub(super) service: &'a Service,
    pub(super) host: Host,
    pub(super) endpoint: Endpoint,
    pub(super) reporter: Reporter<'a>,
}

impl<'a> Site<'a> {
    pub(super) async fn connect(
        found: &'a ServiceHost,
        sink: &'a dyn EventSink,
    ) -> Result<Self, Error> {
        let service = &found.service;
        let reporter = Reporter::new(sink, service.name.as_str());
        reporter.step("connecting");
        let host = ssh::connect(&found.target, Deadline::after(SSH_LIMIT), reporter).await;
        let host = host.inspect_err(|error| reporter.failed(error.to_string()))?;
        Ok(Self { service, host, endpoint: found.endpoint.clone(), reporter })
    }

    pub(super) async fn connect_all(
        found: &'a [ServiceHost],
        sink: &'a dyn EventSink,
    ) -> Result<Vec<Self>, Error> {
        try_join_all(found.iter().map(|host| Self::connect(host, sink))).await
    }

    /// How the service is reached with a token: through the host's own connection.
    pub(super) fn client(&self, token: Option<Token>) -> Client {
        Client::through(self.host.port(self.service.port), self.endpoint.clone(), token)
    }

    /// Waits until the service answers those outside.
    pub(super) async fn wait_ready(&self, limit: Duration) -> Result<Ready, Error> {
        let (name, health) = (self.service.name.as_str(), &self.service.health);
        let client = Client::from(self.endpoint.clone());
        let deadline = Deadline::after(limit);
        Ok(health::wait_ready(name, &client, health, deadline, self.reporter).await?)
    }
}
