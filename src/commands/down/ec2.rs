//! `eventpost down` on EC2: terminates the stack's hosts and deletes what was created for them.

use std::process::ExitCode;

use ec2::{Ec2, Instance};

use super::Row;
use crate::cli::Down;
use crate::error::Error;
use crate::session::Session;

/// What an interrupt leaves.
const LEFT: &str = "run `eventpost down` again to remove the rest";

pub(super) async fn run(args: &Down, session: Session) -> Result<ExitCode, Error> {
    let terminated = session.locked("down", async || {
        let ec2 = session.ec2().await?;
        let mut instances = session.inspect(ec2.instances(session.stack())).await?;
        instances.retain(Instance::is_alive);
        if !instances.is_empty() && !args.yes {
            session.confirm(question(&instances, ec2.region())).await?;
        }
        session.run(LEFT, remove(args, &session, ec2, &instances)).await?;
        Ok(instances)
    });
    let row = |it: Instance| Row { service: it.service, what: Some(it.id), outcome: "terminated" };
    let rows: Vec<_> = terminated.await?.into_iter().map(row).collect();
    session.print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

async fn remove(
    args: &Down,
    session: &Session,
    ec2: &Ec2,
    instances: &[Instance],
) -> Result<(), Error> {
    let reporter = session.reporter("hosts");
    reporter.step("terminating");
    ec2.terminate(instances, reporter).await.inspect_err(|e| reporter.failed(e.to_string()))?;
    reporter.done(format!("{} terminated", instances.len()));
    if !args.keep_network {
        let reporter = session.reporter("network");
        reporter.step("deleting the security group and key pairs");
        let stack = session.stack();
        let deleted = tokio::try_join!(ec2.delete_groups(stack, reporter), ec2.delete_keys(stack));
        deleted.inspect_err(|error| reporter.failed(error.to_string()))?;
        reporter.done("deleted");
    }
    Ok(())
}

fn question(instances: &[Instance], region: &str) -> String {
    let lines = instances.iter().map(|instance| {
        let Instance { id, service, instance_type, state, .. } = instance;
        format!("  {id}  {service}, {instance_type}, {state}\n")
    });
    let lines = lines.collect::<Vec<_>>().concat();
    format!(
        "These hosts in {region} will be terminated, and the data on them will be lost \
         (data in a PostgreSQL database is kept):\n\
         {lines}Continue?"
    )
}
