//! `eventpost status --local`: the processes, and what their services report.

use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde::Serialize;
use support::http::{Client, Endpoint};
use support::wait::{in_words, unix_seconds};

use super::Health;
use crate::access::Token;
use crate::cli::Status;
use crate::config::Service;
use crate::error::Error;
use crate::health::{self, About, NotReady};
use crate::local;
use crate::report::{Cell, Table};
use crate::session::Session;

/// A row of the result.
#[derive(Debug, Default, Serialize)]
struct Row {
    service: String,
    state: Health,
    url: Option<String>,
    pid: Option<u32>,
    uptime_seconds: Option<u64>,
    resources: Option<u64>,
    storage: Option<String>,
    mail: Option<String>,
    version: Option<String>,
    problem: Option<String>,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &[
        "SERVICE",
        "STATE",
        "URL",
        "PID",
        "UPTIME",
        "RESOURCES",
        "STORAGE",
        "MAIL",
        "VERSION",
        "PROBLEM",
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(Some(&self.service)),
            self.state.cell(),
            Cell::text(self.url.as_ref()),
            Cell::text(self.pid),
            Cell::text(self.uptime_seconds.map(Duration::from_secs).map(in_words)),
            Cell::text(self.resources),
            Cell::text(self.storage.as_ref()),
            Cell::text(self.mail.as_ref()),
            Cell::text(self.version.as_ref()),
            Cell::text(self.problem.as_ref()),
        ]
    }
}

pub(super) async fn run(args: &Status, session: Session) -> Result<ExitCode, Error> {
    let token = session.token(&args.token)?;
    let services = &session.config.services;
    let rows = services.iter().map(|service| row(&session, service, token.as_ref()));
    let rows = session.inspect(try_join_all(rows)).await?;
    session.print(&rows, args.output.format)?;
    Ok(super::exit_code(rows.iter().map(|row| row.state)))
}

async fn row(session: &Session, service: &Service, token: Option<&Token>) -> Result<Row, Error> {
    let name = service.name.to_string();
    let Some(holder) = local::find(&session.folder.service(&name)).await? else {
        return Ok(Row { service: name, state: Health::Stopped, ..Row::default() });
    };
    let endpoint = Endpoint::at(holder.address);
    let client = Client::local(endpoint.clone(), token.cloned());
    let mut checked = health::check(&name, &client, &service.health).await;
    let mut problem = None;
    if let Err(refused @ NotReady::Refused { .. }) = &checked {
        // The service may be healthy and only refuse the token.
        problem = Some(refused.to_string());
        checked = health::check(&name, &endpoint.clone().into(), &service.health).await;
    }
    let (state, about) = match checked {
        Ok(ready) => (Health::Healthy, ready.about),
        Err(other) => {
            problem.get_or_insert(other.to_string());
            (Health::Unhealthy, About::default())
        }
    };
    Ok(Row {
        service: name,
        state,
        url: Some(endpoint.url(&service.collection())),
        pid: Some(holder.pid),
        uptime_seconds: Some(unix_seconds().saturating_sub(holder.started)),
        resources: about.resources,
        storage: about.storage,
        mail: about.mail,
        version: Some(holder.version),
        problem,
    })
}
