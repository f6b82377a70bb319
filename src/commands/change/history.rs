//! `eventpost history`: what was done to the hosts that there are, by their own records.

use std::process::ExitCode;

use futures_util::future::try_join_all;
use serde::Serialize;

use crate::cli::Change;
use crate::commands::endpoints;
use crate::commands::site::Site;
use crate::config;
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
    image: String,
    who: String,
}

impl Table for Row {
    const HEADINGS: &'static [&'static str] = &["TIME", "SERVICE", "ACTION", "IMAGE", "BY"];

    fn cells(&self) -> Vec<Cell> {
        [&self.time, &self.service, &self.action, &self.image, &self.who]
            .map(|text| Cell::text(Some(text)))
            .into()
    }
}

pub(crate) async fn run(args: &Change) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    let display = progress::display();
    let work = async {
        let hosts = endpoints::hosts(&config, &args.stack, &args.hosts).await?;
        let records = hosts.iter().map(|host| async {
            let site = Site::connect(host, display.as_ref()).await?;
            let records = docker::history(&site.host).await?;
            site.reporter.done(format!("{} changes", records.len()));
            Ok::<_, Error>((site.service.name.to_string(), records))
        });
        try_join_all(records.collect::<Vec<_>>()).await
    };
    let all = signals.race(work).await;
    drop(display);
    let all = all.map_err(|caught| caught.into_error("nothing was changed"))??;
    let mut records: Vec<_> = all
        .into_iter()
        .flat_map(|(service, records)| records.into_iter().map(move |it| (it, service.clone())))
        .collect();
    records.sort_by_key(|(record, _)| record.time);
    let rows: Vec<_> = records.into_iter().map(row).collect();
    report::print(&rows, args.output)?;
    Ok(ExitCode::SUCCESS)
}

fn row((record, service): (Record, String)) -> Row {
    let Record { time, action, image, who } = record;
    let seconds = i64::try_from(time).unwrap_or_default();
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string();
    Row { time, service, action, image, who }
}
