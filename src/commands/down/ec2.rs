//! `eventpost down` on EC2: ends the stack's hosts and removes what was made for them.

use std::process::ExitCode;

use ec2::Ec2;
use support::event::{EventSink, Reporter};
use support::machine::Machine;

use super::row::Row;
use crate::cli::Down;
use crate::commands::confirm::confirm;
use crate::commands::keeper;
use crate::config::Config;
use crate::error::Error;
use crate::local::StackFolder;
use crate::progress;
use crate::report;
use crate::signals::Signals;

pub(super) async fn run(args: &Down, config: &Config) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let _lock = stack.lock()?;
    let (ec2, keeper) = keeper::account(config, &mut signals).await?;
    let display = progress::display();
    let reporter = Reporter::new(display.as_ref(), "stack");
    let work = async |signals: &mut Signals| {
        let found = signals.race(ec2.machines(config.stack.as_str())).await;
        let mut machines = found.map_err(|caught| caught.into_error("nothing was changed"))??;
        machines.retain(Machine::is_alive);
        if !machines.is_empty() && !args.yes {
            confirm(signals, question(&machines, ec2.region())).await?;
        }
        let ended = signals.race(end(args, config, &ec2, &machines, display.as_ref())).await;
        ended
            .map_err(|caught| caught.into_error("run `eventpost down` again to end the rest"))??;
        Ok(machines)
    };
    let ended = keeper.hold("down", &mut signals, reporter, work).await;
    drop(display);
    let row = |it: Machine| Row { service: it.service, what: Some(it.id), outcome: "ended" };
    let rows: Vec<_> = ended?.into_iter().map(row).collect();
    report::print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Ends hosts, and removes what was made for them.
async fn end(
    args: &Down,
    config: &Config,
    ec2: &Ec2,
    machines: &[Machine],
    display: &dyn EventSink,
) -> Result<(), Error> {
    let name = config.stack.as_str();
    let reporter = Reporter::new(display, "hosts");
    reporter.step("ending");
    ec2.terminate(machines, reporter).await.inspect_err(|e| reporter.failed(e.to_string()))?;
    reporter.done(format!("{} ended", machines.len()));
    if !args.keep_network {
        let reporter = Reporter::new(display, "network");
        reporter.step("removing the security group and key pairs");
        let removed = tokio::try_join!(ec2.delete_groups(name, reporter), ec2.delete_keys(name));
        removed.inspect_err(|error| reporter.failed(error.to_string()))?;
        reporter.done("removed");
    }
    Ok(())
}

fn question(machines: &[Machine], region: &str) -> String {
    let lines = machines.iter().map(|machine| {
        let Machine { id, service, kind, state, .. } = machine;
        format!("  {id}  {service}, {kind}, {state}\n")
    });
    let lines = lines.collect::<Vec<_>>().concat();
    format!(
        "In {region} these hosts will be ended, and the data on them will be lost:\n{lines}Go on?"
    )
}
