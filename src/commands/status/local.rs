//! `eventpost status --local`: what runs, what it says of itself, and whether all is well.

use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde::Serialize;
use support::http::{Client, Endpoint};
use support::wait::{in_words, unix_seconds};

use crate::access::Token;
use crate::cli::Status;
use crate::commands::access;
use crate::config::{Config, Service};
use crate::error::Error;
use crate::health::{self, About, NotReady};
use crate::local::{self, StackFolder};
use crate::report::{self, Cell, Table};

/// A row of the result.
#[derive(Debug, Serialize)]
struct Row {
    service: String,
    state: State,
    url: Option<String>,
    pid: Option<u32>,
    uptime_seconds: Option<u64>,
    resources: Option<u64>,
    mail: Option<String>,
    version: Option<String>,
    problem: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Healthy,
    Unhealthy,
    Stopped,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] =
        &["SERVICE", "STATE", "URL", "PID", "UPTIME", "RESOURCES", "MAIL", "VERSION", "PROBLEM"];

    fn cells(&self) -> Vec<Cell> {
        let state = match self.state {
            State::Healthy => "healthy",
            State::Unhealthy => "unhealthy",
            State::Stopped => "stopped",
        };
        vec![
            Cell::text(Some(&self.service)),
            Cell::verdict(state, self.state == State::Healthy),
            Cell::text(self.url.as_ref()),
            Cell::text(self.pid),
            Cell::text(self.uptime_seconds.map(Duration::from_secs).map(in_words)),
            Cell::text(self.resources),
            Cell::text(self.mail.as_ref()),
            Cell::text(self.version.as_ref()),
            Cell::text(self.problem.as_ref()),
        ]
    }
}

pub(super) async fn run(args: &Status, config: &Config) -> Result<ExitCode, Error> {
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let token = access::token_for_local(config, (&args.stack, &args.token))?;
    let looks = config.services.iter().map(|service| look(&stack, service, token.as_ref()));
    let rows = try_join_all(looks).await?;
    report::print(&rows, args.output.format)?;
    let healthy = rows.iter().all(|row| row.state == State::Healthy);
    Ok(super::exit_code(healthy))
}

async fn look(stack: &StackFolder, service: &Service, token: Option<&Token>) -> Result<Row, Error> {
    let name = service.name.to_string();
    let Some(holder) = local::find(&stack.service(&name)).await? else {
        return Ok(Row {
            service: name,
            state: State::Stopped,
            url: None,
            pid: None,
            uptime_seconds: None,
            resources: None,
            mail: None,
            version: None,
            problem: None,
        });
    };
    let endpoint = Endpoint::at(holder.address);
    let client = Client::local(endpoint.clone(), token.cloned());
    let mut checked = health::check(&name, &client, &service.health).await;
    let mut problem = None;
    if let Err(refused @ NotReady::Refused { .. }) = &checked {
        // The service may be well all the same.
        problem = Some(refused.to_string());
        checked = health::check(&name, &endpoint.clone().into(), &service.health).await;
    }
    let (state, about) = match checked {
        Ok(ready) => (State::Healthy, ready.about),
        Err(other) => {
            problem.get_or_insert(other.to_string());
            (State::Unhealthy, About::default())
        }
    };
    Ok(Row {
        service: name,
        state,
        url: Some(endpoint.url(&service.collection())),
        pid: Some(holder.pid),
        uptime_seconds: Some(unix_seconds().saturating_sub(holder.started)),
        resources: about.resources,
        mail: about.mail,
        version: Some(holder.version),
        problem,
    })
}
