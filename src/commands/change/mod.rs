//! Changing what runs on hosts, which stay, as do their data: `eventpost deploy` and
//! `rollback`; `history` tells what was done. Either all services change or none.

mod deploy;
mod history;

use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

pub(super) use deploy::{deploy, rollback};
pub(super) use history::run as history;

use crate::commands::site::Site;
use crate::docker::{self, Switched};
use crate::error::Error;
use crate::report::{Cell, Table};
use support::wait::in_words;

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

async fn row(site: &Site<'_>, switched: Switched, outcome: &'static str) -> Row {
    let container = docker::inspect(&site.host, site.service).await.ok().flatten();
    let pause = match switched {
        Switched::Kept => None,
        Switched::After(pause) => Some(pause.as_secs_f64()),
    };
    let outcome = if pause.is_some() { outcome } else { "kept" };
    let url = site.endpoint.url(&site.service.collection());
    site.reporter.done(format!("{outcome}, {url}"));
    Row {
        service: site.service.name.to_string(),
        outcome,
        image: container.map(|container| container.image),
        url,
        pause_seconds: pause,
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
        Ok((switched, site.wait_ready(READY_LIMIT).await))
    });
    let all: Vec<Result<_, Error>> = join_all(switches.collect::<Vec<_>>()).await;
    if all.iter().all(|one| matches!(one, Ok((_, Ok(_))))) {
        let rows = sites.iter().zip(&all).filter_map(|(site, one)| {
            one.as_ref().ok().map(|(switched, _)| row(site, *switched, outcome))
        });
        return Ok(join_all(rows.collect::<Vec<_>>()).await);
    }
    let back = &back;
    let going_back = sites.iter().zip(&all).map(|(site, one)| async move {
        if matches!(one, Ok((Switched::After(_), _))) {
            site.reporter.step("going back");
            back(site).await?;
            site.wait_ready(READY_LIMIT).await?;
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
