//! `eventpost down`: ends what `up` made.

mod ec2;
mod local;
mod row;

use std::process::ExitCode;

use crate::cli::Down;
use crate::config;
use crate::error::Error;

pub(super) async fn run(args: &Down) -> Result<ExitCode, Error> {
    let config = config::load(args.stack.file.as_deref(), args.stack.name.as_ref())?;
    if args.local { local::run(args, &config).await } else { ec2::run(args, &config).await }
}
