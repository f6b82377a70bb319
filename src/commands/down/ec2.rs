//! `eventpost down` on EC2: ends the stack's hosts and removes what was made for them.

use std::process::ExitCode;

use crate::cli::Down;
use crate::commands::confirm::confirm;
use crate::config::Config;
use crate::error::Error;
use crate::event::Reporter;
use crate::local::StackFolder;
use crate::progress;
use crate::provider::Machine;
use crate::provider::ec2::Ec2;
use crate::signals::Signals;

pub(super) async fn run(args: &Down, config: &Config) -> Result<ExitCode, Error> {
    let mut signals = Signals::listen()?;
    let stack = StackFolder::new(args.stack.state_dir.as_deref(), &config.stack)?;
    let _lock = stack.lock()?;
    let name = config.stack.as_str();
    let found = signals.race(find(config)).await;
    let (ec2, machines) = found.map_err(|caught| caught.into_error("nothing was changed"))??;
    if !machines.is_empty() && !args.yes {
        confirm(&mut signals, question(&machines, ec2.region())).await?;
    }
    let display = progress::display();
    let work = async {
        let reporter = Reporter::new(display.as_ref(), "hosts");
        reporter.step("ending");
        ec2.terminate(&machines).await.inspect_err(|e| reporter.failed(e.to_string()))?;
        reporter.done(format!("{} ended", machines.len()));
        if !args.keep_network {
            let reporter = Reporter::new(display.as_ref(), "network");
            reporter.step("removing the security group and key pairs");
            let removed = tokio::try_join!(ec2.delete_groups(name), ec2.delete_keys(name));
            removed.inspect_err(|error| reporter.failed(error.to_string()))?;
            reporter.done("removed");
        }
        Ok::<_, Error>(())
    };
    let outcome = signals.race(work).await;
    drop(display);
    outcome.map_err(|caught| caught.into_error("run `eventpost down` again to end the rest"))??;
    Ok(ExitCode::SUCCESS)
}

async fn find(config: &Config) -> Result<(Ec2, Vec<Machine>), Error> {
    let ec2 = Ec2::connect(config.region.as_deref()).await?;
    let mut machines = ec2.machines(config.stack.as_str()).await?;
    machines.retain(Machine::is_alive);
    Ok((ec2, machines))
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
