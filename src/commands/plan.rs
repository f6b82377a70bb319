//! `eventpost plan`: prints the operations that `up` would execute, and changes nothing.

use std::process::ExitCode;

use super::{operations, up};
use crate::cli::Plan;
use crate::error::Error;
use crate::session::Session;

pub(super) async fn run(args: &Plan) -> Result<ExitCode, Error> {
    let session = Session::open(&args.stack, &args.placement)?;
    session.check_placement()?;
    let plan = session.inspect(up::plan(args, &session)).await?;
    operations::print(session, &plan, args.output.format)
}
