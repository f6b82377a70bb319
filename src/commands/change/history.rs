//! `eventpost history`: what was done, when and by whom: launches by the tags of instances,
//! and what was done to hosts by their own records.

use std::process::ExitCode;

use ec2::Ec2;
use futures_util::future::try_join_all;
use serde::Serialize;
use support::event::EventSink;
use support::machine::Machine;

use crate::cli::Change;
use crate::commands::endpoints::{self, ServiceHost};
use crate::commands::hosts;
use crate::commands::site::Site;
use crate::config::{self, Config};
use crate::docker::{self, Record};
use crate::error::Error;
use crate::progress;
use crate::report::{self, Cell, Table};
use crate::signals::Signals;

/// A row of the result.
#[derive(Debug, Serialize)]
struct Row {
    /// RFC 3339, UTC.
    time: String,
    service: String,
    action: String,
    /// What it was done with: the image that a host booted, or that its container runs.
    image: String,
    host: String,
    who: Option<String>,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["TIME", "SERVICE", "ACTION", "IMAGE", "HOST", "BY"];

    fn cells(&self) -> Vec<Cell> {
        let mut cells: Vec<_> = [&self.time, &self.service, &self.action, &self.image, &self.host]
            .map(|text| Cell::text(Some(text)))
            .into();
        cells.push(Cell::text(self.who.as_ref()));
        cells
    }
}

pub(crate) async fn run(args: &Change) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    let display = progress::display();
    let work = async {
        let mut rows = launches(args, &config).await?;
        let hosts = match endpoints::hosts(&config, &args.stack, &args.hosts.named).await {
            // Of hosts that are gone there are tags, for an hour or so.
            Err(Error::NotRunning(_)) if !rows.is_empty() => Vec::new(),
            found => found?,
        };
        let records = hosts.iter().map(|host| records(host, display.as_ref()));
        rows.extend(try_join_all(records).await?.into_iter().flatten());
        Ok::<_, Error>(rows)
    };
    let rows = signals.race(work).await;
    drop(display);
    let mut rows = rows.map_err(|caught| caught.into_error("nothing was changed"))??;
    rows.sort_by(|a, b| a.time.cmp(&b.time));
    report::print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

/// What the tags of instances tell, of those that have ended too.
async fn launches(args: &Change, config: &Config) -> Result<Vec<Row>, Error> {
    if !hosts::named(config, &args.hosts.named)?.is_empty() {
        return Ok(Vec::new());
    }
    let ec2 = Ec2::connect(config.region.as_deref()).await?;
    let machines = ec2.machines(config.stack.as_str()).await?;
    let launch = |machine: Machine| Row {
        time: rfc3339(machine.launched),
        host: machine.id,
        service: machine.service,
        action: "launch".into(),
        image: machine.image,
        who: machine.launched_by,
    };
    Ok(machines.into_iter().map(launch).collect())
}

/// What a host has written down.
async fn records(found: &ServiceHost, sink: &dyn EventSink) -> Result<Vec<Row>, Error> {
    let site = Site::connect(found, sink).await?;
    let records = docker::history(&site.host).await?;
    site.reporter.done(format!("{} changes", records.len()));
    let host = found.id.clone().unwrap_or_else(|| found.target.address.ip().to_string());
    let row = |Record { time, action, image, who }| {
        let (service, host) = (site.service.name.to_string(), host.clone());
        Row { time: rfc3339(time), service, action, image, host, who: Some(who) }
    };
    Ok(records.into_iter().map(row).collect())
}

fn rfc3339(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}
