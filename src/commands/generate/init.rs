//! `eventpost init`: a first eventpost.yml, with every key explained.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::ExitCode;

use ec2::Ec2;
use support::event::Reporter;

use crate::cli::Init;
use crate::config::{self, FILE, Name};
use crate::error::Error;
use crate::progress;

pub(crate) async fn run(args: &Init) -> Result<ExitCode, Error> {
    let file = &args.file;
    let cannot = |error: std::io::Error| {
        Error::Failed(format!("{} cannot be written: {error}", file.display()))
    };
    // What is there is somebody's work.
    let mut open = OpenOptions::new().write(true).create_new(true).open(file).map_err(cannot)?;
    let display = progress::display();
    let reporter = Reporter::new(display.as_ref(), FILE);
    let region = match Ec2::connect(None).await {
        Ok(ec2) => Some(ec2.region().to_owned()),
        Err(error) => {
            reporter.warning(format!("the region stays the built-in one: {error}"));
            None
        }
    };
    let name = args.name.clone().or_else(|| Name::new("eventpost"));
    let text = config::first(name.as_ref(), region.as_deref());
    open.write_all(text.as_bytes()).map_err(cannot)?;
    reporter.done(format!("{} is there; `eventpost plan` shows what it leads to", file.display()));
    Ok(ExitCode::SUCCESS)
}
