//! Connections to the hosts of a stack.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::try_join_all;
use ssh::Host;
use support::event::{EventSink, NullSink, Reporter};
use support::http::Client;
use support::wait::Deadline;

use super::{Placement, ServiceHost, ServiceLocation, Session};
use crate::access::Token;
use crate::cli::TokenArgs;
use crate::config::Service;
use crate::deploy::reach;
use crate::error::Error;
use crate::health::{self, Ready};

/// A host that runs answers at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A service on a host that this command is connected to.
pub(crate) struct Connection<'a> {
    /// The service's host, as it was found.
    pub(crate) found: &'a ServiceHost,
    pub(crate) service: &'a Service,
    pub(crate) host: Host,
    pub(crate) reporter: Reporter<'a>,
}

impl<'a> AsRef<Connection<'a>> for Connection<'a> {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Session {
    /// Connects to a service's host.
    pub(crate) async fn connect<'a>(
        &'a self,
        found: &'a ServiceHost,
    ) -> Result<Connection<'a>, Error> {
        Connection::open(found, self.sink()).await
    }

    /// Clients of those services of the stack that are wanted, which send this user's token. On
    /// hosts, it travels through SSH only.
    pub(crate) async fn clients(
        &self,
        args: &TokenArgs,
        is_wanted: impl Fn(&Service) -> bool,
    ) -> Result<Vec<(Service, Client)>, Error> {
        let mut located = self.locate().await?;
        located.retain(|it| is_wanted(&it.service));
        let token = self.token(args)?;
        let is_closed = located.iter().any(|it| !it.service.is_public());
        if self.placement != Placement::Local && (token.is_some() || is_closed) {
            let hosts = self.hosts_of(located)?;
            let connections = self.connect_all(&hosts).await?;
            let client = |it: &Connection<'_>| (it.service.clone(), it.client(token.clone()));
            return Ok(connections.iter().map(client).collect());
        }
        let client = |it: ServiceLocation| {
            let client = Client::local(it.endpoint(), token.clone());
            (it.service, client)
        };
        Ok(located.into_iter().map(client).collect())
    }

    /// Connects to the hosts of services.
    pub(crate) async fn connect_all<'a>(
        &'a self,
        found: &'a [ServiceHost],
    ) -> Result<Vec<Connection<'a>>, Error> {
        try_join_all(found.iter().map(|host| self.connect(host))).await
    }
}

impl<'a> Connection<'a> {
    /// Connects without reporting progress, for commands whose output is the host's.
    pub(crate) async fn open_silently(found: &'a ServiceHost) -> Result<Self, Error> {
        Self::open(found, &NullSink).await
    }

    async fn open(found: &'a ServiceHost, sink: &'a dyn EventSink) -> Result<Self, Error> {
        let service = &found.service;
        let reporter = Reporter::new(sink, service.name.as_str());
        reporter.step("connecting");
        let host = ssh::connect(&found.target, Deadline::after(CONNECT_TIMEOUT), reporter).await;
        let host = host.inspect_err(|error| reporter.failed(error.to_string()))?;
        Ok(Self { found, service, host, reporter })
    }

    /// The host's address.
    pub(crate) fn address(&self) -> IpAddr {
        self.found.target.address.ip()
    }

    /// A client that sends a token to the service, through the connection.
    pub(crate) fn client(&self, token: Option<Token>) -> Client {
        Client::through(self.host.port(self.service.port), self.found.endpoint(), token)
    }

    /// Waits until the service answers clients outside the host, if they connect to it.
    pub(crate) async fn wait_ready(&self, timeout: Duration) -> Result<Ready, Error> {
        let (name, health) = (self.service.name.as_str(), &self.service.health);
        let client = reach(&self.host, self.service, self.found.endpoint());
        Ok(health::wait_ready(name, &client, health, Deadline::after(timeout), self.reporter)
            .await?)
    }
}
