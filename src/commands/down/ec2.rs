//! `eventpost down` on EC2: terminates the stack's hosts and deletes what was created for them.

use std::process::ExitCode;

use ec2::{Ec2, ElasticIp, Instance};

use super::Row;
use crate::cli::Down;
use crate::error::Error;
use crate::session::Session;

/// What an interrupt leaves.
const LEFT: &str = "run `eventpost down` again to remove the rest";

/// What is removed that holds data or that others may rely on.
struct Removal {
    instances: Vec<Instance>,
    addresses: Vec<ElasticIp>,
}

pub(super) async fn run(args: &Down, session: Session) -> Result<ExitCode, Error> {
    let removed = session.locked("down", async || {
        let ec2 = session.ec2().await?;
        let removal = session.inspect(Removal::find(args, &session, ec2)).await?;
        if !removal.is_empty() && !args.yes {
            session.confirm(removal.question(ec2.region())).await?;
        }
        session.run(LEFT, remove(args, &session, ec2, &removal)).await?;
        Ok(removal)
    });
    let rows = removed.await?.into_rows();
    session.print(&rows, args.output.format)?;
    Ok(ExitCode::SUCCESS)
}

async fn remove(args: &Down, session: &Session, ec2: &Ec2, removal: &Removal) -> Result<(), Error> {
    let Removal { instances, addresses } = removal;
    let reporter = session.reporter("hosts");
    reporter.step("terminating");
    ec2.terminate(instances, reporter).await.inspect_err(|e| reporter.failed(e.to_string()))?;
    reporter.done(format!("{} terminated", instances.len()));
    if !addresses.is_empty() {
        let reporter = session.reporter("addresses");
        reporter.step("releasing");
        let released = ec2.release_addresses(addresses, reporter).await;
        released.inspect_err(|error| reporter.failed(error.to_string()))?;
        reporter.done(format!("{} released", addresses.len()));
    }
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

impl Removal {
    async fn find(args: &Down, session: &Session, ec2: &Ec2) -> Result<Self, Error> {
        let mut instances = ec2.instances(session.stack()).await?;
        instances.retain(Instance::is_alive);
        let addresses =
            if args.keep_address { Vec::new() } else { ec2.addresses(session.stack()).await? };
        Ok(Self { instances, addresses })
    }

    fn is_empty(&self) -> bool {
        self.instances.is_empty() && self.addresses.is_empty()
    }

    fn question(&self, region: &str) -> String {
        let mut lines = Vec::new();
        if !self.instances.is_empty() {
            lines.push(format!(
                "These hosts in {region} will be terminated, and the data on them will be lost \
                 (data in a PostgreSQL database is kept):"
            ));
        }
        lines.extend(self.instances.iter().map(|instance| {
            let Instance { id, service, instance_type, state, .. } = instance;
            format!("  {id}  {service}, {instance_type}, {state}")
        }));
        if !self.addresses.is_empty() {
            lines.push(
                "These Elastic IP addresses will be released, and names that point to them will point \
                 nowhere (--keep-address keeps them):"
                    .into(),
            );
        }
        lines.extend(self.addresses.iter().map(|it| format!("  {}  {}", it.address, it.service)));
        lines.push("Continue?".into());
        lines.join("\n")
    }

    fn into_rows(self) -> Vec<Row> {
        let instance =
            |it: Instance| Row { service: it.service, what: Some(it.id), outcome: "terminated" };
        let address = |it: ElasticIp| Row {
            service: it.service,
            what: Some(it.address.to_string()),
            outcome: "released",
        };
        let instances = self.instances.into_iter().map(instance);
        instances.chain(self.addresses.into_iter().map(address)).collect()
    }
}
