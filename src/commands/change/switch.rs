//! Switches the containers of all services, or of none.

use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use support::wait::in_words;

use crate::docker::{self, SwitchOutcome};
use crate::error::Error;
use crate::report::{Cell, Table};
use crate::session::{Connection, url_of};

const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// A row of the result.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) service: String,
    pub(crate) outcome: &'static str,
    pub(crate) image: Option<String>,
    pub(crate) url: String,
    /// How long new connections had to wait.
    pub(crate) pause_seconds: Option<f64>,
}

impl Row {
    pub(crate) fn has_changed(&self) -> bool {
        self.pause_seconds.is_some()
    }
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["SERVICE", "OUTCOME", "IMAGE", "URL", "PAUSE"];

    fn cells(&self) -> Vec<Cell> {
        let pause = self.pause_seconds.map(Duration::from_secs_f64).map(in_words);
        vec![
            Cell::text(Some(&self.service)),
            Cell::verdict(self.outcome, true),
            Cell::text(self.image.as_ref()),
            Cell::text(Some(&self.url)),
            Cell::text(pause),
        ]
    }
}

/// What services are switched to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Containers {
    /// New ones, with the word for a service that runs one.
    New(&'static str),
    /// Those that were kept for a rollback. They may have other ports than the file says; the host
    /// has checked that they are ready.
    Kept,
}

impl Containers {
    /// The word for a service that has switched.
    fn outcome(self) -> &'static str {
        match self {
            Self::New(outcome) => outcome,
            Self::Kept => "rolled back",
        }
    }
}

/// Runs `to` for all services. If one of them fails or does not become ready, runs `back` for
/// those that have switched.
pub(crate) async fn switch_all<'s, 'c: 's, T: AsRef<Connection<'c>>>(
    services: &'s [T],
    containers: Containers,
    to: impl AsyncFn(&T) -> Result<SwitchOutcome, Error>,
    back: impl AsyncFn(&Connection<'c>) -> Result<SwitchOutcome, Error>,
) -> Result<Vec<(&'s T, Row)>, Error> {
    let (to, back) = (&to, &back);
    let switches = services.iter().map(|service| async move {
        let switched = match to(service).await {
            Ok(switched) => switched,
            Err(error) => return (service, SwitchOutcome::Unchanged, Err(error)),
        };
        // If it does not become ready, it goes back.
        let ready = match containers {
            Containers::Kept => Ok(()),
            Containers::New(_) => service.as_ref().wait_ready(READY_TIMEOUT).await.map(drop),
        };
        (service, switched, ready)
    });
    let all = join_all(switches.collect::<Vec<_>>()).await;
    if all.iter().all(|(.., ready)| ready.is_ok()) {
        let rows = all.into_iter().map(|(service, switched, _)| async move {
            (service, row(service.as_ref(), switched, containers.outcome()).await)
        });
        return Ok(join_all(rows.collect::<Vec<_>>()).await);
    }
    let revert = all.iter().map(|(service, switched, _)| async move {
        revert(service.as_ref(), *switched, back).await
    });
    let stuck: Vec<_> = join_all(revert.collect::<Vec<_>>()).await;
    let stuck: Vec<_> = stuck.into_iter().filter_map(Result::err).collect();
    let mut errors: Vec<_> = all.into_iter().filter_map(|(.., ready)| ready.err()).collect();
    if !stuck.is_empty() {
        errors.extend(stuck);
        return Err(Error::HalfChanged(errors));
    }
    Err(Error::several(errors))
}

async fn revert<'c>(
    connection: &Connection<'c>,
    switched: SwitchOutcome,
    back: &impl AsyncFn(&Connection<'c>) -> Result<SwitchOutcome, Error>,
) -> Result<(), Error> {
    if matches!(switched, SwitchOutcome::Switched(_)) {
        connection.reporter.step("going back");
        // Its readiness is not checked from here, as that of `Containers::Kept`.
        back(connection).await?;
    }
    connection.reporter.failed("runs as before");
    Ok(())
}

async fn row(connection: &Connection<'_>, switched: SwitchOutcome, outcome: &'static str) -> Row {
    let container = docker::inspect(&connection.host, connection.service).await.ok().flatten();
    let (outcome, pause_seconds) = match switched {
        SwitchOutcome::Unchanged => ("kept", None),
        SwitchOutcome::Switched(pause) => (outcome, Some(pause.as_secs_f64())),
    };
    let url = url_of(connection.service, &connection.found.endpoint());
    connection.reporter.done(format!("{outcome}, {url}"));
    let image = container.map(|container| container.image);
    let service = connection.service.name.to_string();
    Row { service, outcome, image, url, pause_seconds }
}
