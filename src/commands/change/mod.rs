//! Changing what runs on hosts, which stay, as do their data: `eventpost deploy` and
//! `rollback`; `history` tells what was done. Either all services change or none.

mod deploy;
mod history;

use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

pub(super) use deploy::{deploy, rollback};
pub(super) use history::run as history;

use crate::commands::endpoints::ServiceHost;
use crate::config::Service;
use crate::docker::{self, Switched};
use crate::error::Error;
use crate::event::{EventSink, Reporter};
use crate::health;
use crate::host::{self, Host};
use crate::http::Endpoint;
use crate::report::{Cell, Table};
use crate::wait::{Deadline, humane};

const SSH_LIMIT: Duration = Duration::from_secs(30);
const READY_LIMIT: Duration = Duration::from_secs(30);

/// A row of the result.
#[derive(Debug, Serialize)]
struct Row {
    service: String,
    outcome: &'static str,
    image: Option<String>,
    url: String,
    /// For how long new connections waited.
    pause_seconds: Option<f64>,
}

impl Row {
    fn has_changed(&self) -> bool {
        self.pause_seconds.is_some()
    }
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["SERVICE", "OUTCOME", "IMAGE", "URL", "PAUSE"];

    fn cells(&self) -> Vec<Cell> {
        let pause = self.pause_seconds.map(Duration::from_secs_f64).map(humane);
        vec![
            Cell::text(Some(&self.service)),
            Cell::verdict(self.outcome, true),
            Cell::text(self.image.as_ref()),
            Cell::text(Some(&self.url)),
            Cell::text(pause),
        ]
    }
}

/// A connected host whose service may change.
struct Site<'a> {
    service: &'a Service,
    host: Host,
    endpoint: Endpoint,
    reporter: Reporter<'a>,
}

impl<'a> Site<'a> {
    async fn connect(
        found: &'a ServiceHost,
        endpoint: &Endpoint,
        sink: &'a dyn EventSink,
    ) -> Result<Self, Error> {
        let service = &found.service;
        let reporter = Reporter::new(sink, service.name.as_str());
        reporter.step("connecting");
        let host = host::connect(&found.target, Deadline::after(SSH_LIMIT), reporter).await;
        let host = host.inspect_err(|error| reporter.failed(error.to_string()))?;
        Ok(Self { service, host, endpoint: endpoint.clone(), reporter })
    }

    /// Waits until the service answers those outside.
    async fn wait_ready(&self) -> Result<(), Error> {
        let (name, health) = (self.service.name.as_str(), &self.service.health);
        health::wait_ready(name, &self.endpoint, health, Deadline::after(READY_LIMIT)).await?;
        Ok(())
    }

    async fn row(&self, switched: Switched, outcome: &'static str) -> Row {
        let container = docker::inspect(&self.host, self.service).await.ok().flatten();
        let pause = match switched {
            Switched::Kept => None,
            Switched::After(pause) => Some(pause.as_secs_f64()),
        };
        let outcome = if pause.is_some() { outcome } else { "kept" };
        let url = self.endpoint.url(&self.service.collection());
        self.reporter.done(format!("{outcome}, {url}"));
        Row {
            service: self.service.name.to_string(),
            outcome,
            image: container.map(|container| container.image),
            url,
            pause_seconds: pause,
        }
    }
}

/// Switches all services; where one fails, those that have switched go `back`.
async fn switch_all<'a>(
    sites: &[Site<'a>],
    outcome: &'static str,
    switch: impl AsyncFn(usize, &Site<'a>) -> Result<Switched, Error>,
    back: impl AsyncFn(&Site<'a>) -> Result<Switched, Error>,
) -> Result<Vec<Row>, Error> {
    let switch = &switch;
    let switches = sites.iter().enumerate().map(|(number, site)| async move {
        let switched = switch(number, site).await?;
        // From here on a failure means going back.
        Ok((switched, site.wait_ready().await))
    });
    let all: Vec<Result<_, Error>> = join_all(switches.collect::<Vec<_>>()).await;
    if all.iter().all(|one| matches!(one, Ok((_, Ok(()))))) {
        let rows = sites.iter().zip(&all).filter_map(|(site, one)| {
            one.as_ref().ok().map(|(switched, _)| site.row(*switched, outcome))
        });
        return Ok(join_all(rows.collect::<Vec<_>>()).await);
    }
    let back = &back;
    let going_back = sites.iter().zip(&all).map(|(site, one)| async move {
        if matches!(one, Ok((Switched::After(_), _))) {
            site.reporter.step("going back");
            back(site).await?;
            site.wait_ready().await?;
        }
        site.reporter.failed("runs as before");
        Ok(())
    });
    let gone_back: Vec<Result<(), Error>> = join_all(going_back.collect::<Vec<_>>()).await;
    let failed = all.into_iter().filter_map(|one| one.and_then(|(_, ready)| ready).err());
    let mut errors: Vec<_> = failed.collect();
    let stuck: Vec<_> = gone_back.into_iter().filter_map(Result::err).collect();
    if !stuck.is_empty() {
        errors.extend(stuck);
        return Err(Error::HalfChanged(errors));
    }
    Err(if errors.len() == 1 { errors.remove(0) } else { Error::Several(errors) })
}
