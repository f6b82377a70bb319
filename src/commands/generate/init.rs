//! `eventpost init`: a first eventpost.yml, with every key explained.

use std::io::Write;
use std::process::ExitCode;

use ec2::{Account, Ec2};
use support::event::Reporter;

use crate::cli::Init;
use crate::commands::destination::Destination;
use crate::config::{self, FILE, Name};
use crate::error::Error;
use crate::progress;

pub(crate) async fn run(args: &Init) -> Result<ExitCode, Error> {
    let file = &args.file;
    if file.symlink_metadata().is_ok() {
        let problem = format!("{} exists already: choose another file", file.display());
        return Err(Error::Failed(problem));
    }
    let mut new = Destination::new(file)?;
    let display = progress::display();
    let reporter = Reporter::new(display.as_ref(), FILE);
    let region = match Ec2::connect(&Account::default()).await {
        Ok(ec2) => Some(ec2.region().to_owned()),
        Err(error) => {
            reporter.warning(format!("the region stays the built-in one: {error}"));
            None
        }
    };
    let name = args.name.clone().or_else(|| Name::new("eventpost"));
    let text = config::first(name.as_ref(), region.as_deref());
    new.prepare(|to| to.write_all(text.as_bytes()))?;
    // What somebody has put there meanwhile is not replaced either.
    new.commit_new()?;
    reporter.done(format!("wrote {}; `eventpost plan` shows what it would do", file.display()));
    Ok(ExitCode::SUCCESS)
}
