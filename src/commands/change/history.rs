//! `eventpost history`: launches by the tags of instances, and later changes by the records of
//! their hosts.

use std::process::ExitCode;

use ec2::Instance;
use futures_util::future::try_join_all;
use serde::Serialize;

use crate::cli::History;
use crate::docker::{self, Record};
use crate::error::Error;
use crate::report::{Cell, Table};
use crate::session::{Placement, ServiceHost, Session};

/// A row of the result.
#[derive(Debug, Serialize)]
struct Row {
    /// RFC 3339, UTC.
    time: String,
    service: String,
    action: String,
    /// The image that an instance booted or that a container runs.
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

pub(crate) async fn run(args: &History) -> Result<ExitCode, Error> {
    let session = Session::open(&args.stack, &(&args.hosts).into())?;
    let mut rows = session.inspect(rows(&session)).await?;
    rows.sort_by(|a, b| a.time.cmp(&b.time));
    session.print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

async fn rows(session: &Session) -> Result<Vec<Row>, Error> {
    let (mut rows, located) = if session.placement == Placement::Ec2 {
        // EC2 lists terminated instances for about an hour.
        let instances = session.ec2().await?.instances(session.stack()).await?;
        let located = session.locate_on(&instances);
        (instances.into_iter().map(launch).collect(), located)
    } else {
        (Vec::new(), session.locate().await?)
    };
    if rows.is_empty() && located.is_empty() {
        // Says which service has no host.
        session.locate().await?;
    }
    let hosts = session.hosts_of(located)?;
    let records = hosts.iter().map(|host| records(session, host));
    rows.extend(try_join_all(records).await?.into_iter().flatten());
    Ok(rows)
}

fn launch(instance: Instance) -> Row {
    Row {
        time: rfc3339(instance.launched),
        host: instance.id,
        service: instance.service,
        action: "launch".into(),
        image: instance.image,
        who: instance.launched_by,
    }
}

/// The records that a host keeps of its changes.
async fn records(session: &Session, host: &ServiceHost) -> Result<Vec<Row>, Error> {
    let connection = session.connect(host).await?;
    let records = docker::history(&connection.host).await?;
    connection.reporter.done(format!("{} changes", records.len()));
    let row = |Record { time, action, image, who }| {
        let (service, host) = (host.service.name.to_string(), host.host_name());
        Row { time: rfc3339(time), service, action, image, host, who: Some(who) }
    };
    Ok(records.into_iter().map(row).collect())
}

fn rfc3339(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}
