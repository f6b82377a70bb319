//! This module owns why an instance is not reached, as far as EC2 knows it.

use crate::config::Config;
use crate::doctor::Check;
use crate::provider::Machine;
use crate::provider::ec2::{Ec2, Ec2Error};

/// What EC2 says of the way to a port of an instance.
pub(super) async fn why(ec2: &Ec2, config: &Config, machine: &Machine, port: u16) -> Vec<Check> {
    let id = machine.id.as_str();
    let (impaired, rules, route) = tokio::join!(
        ec2.failed_status_checks(id),
        ec2.missing_rules(config),
        ec2.missing_route(id)
    );
    vec![
        judge("instance", impaired, "EC2's own checks pass", |found| {
            let mend = format!(
                "`aws ec2 stop-instances --instance-ids {id}` and `start-instances` move it to \
                 another machine, with its data; its address changes"
            );
            (found, mend)
        }),
        security_group(config, rules, port),
        judge("route", route, "the subnet is reached from outside", |found| {
            (found, "add a route to 0.0.0.0/0 over an internet gateway to its route table".into())
        }),
    ]
}

fn security_group(
    config: &Config,
    missing: Result<Option<Vec<u16>>, Ec2Error>,
    port: u16,
) -> Check {
    let name = &config.security_group.name;
    let missing = missing.map(|missing| match missing {
        None => Some(format!("{name} is gone")),
        Some(closed) if closed.contains(&port) => Some(format!("{name} lets nobody in at {port}")),
        Some(_) => None,
    });
    let open = format!("{name} lets some in at {port}; see that you are one of them");
    judge("security group", missing, &open, |found| {
        let mend = format!(
            "`eventpost up` opens it for the new hosts; at once: `aws ec2 \
             authorize-security-group-ingress --group-name {name} --protocol tcp --port {port} \
             --cidr YOUR-ADDRESS/32`"
        );
        (found, mend)
    })
}

/// A check of something of which EC2 tells a problem, none, or nothing.
fn judge(
    subject: &'static str,
    told: Result<Option<String>, Ec2Error>,
    fine: &str,
    wrong: impl FnOnce(String) -> (String, String),
) -> Check {
    match told {
        Ok(None) => Check::fine(subject, fine),
        Ok(Some(problem)) => {
            let (found, mend) = wrong(problem);
            Check::wrong(subject, found, mend)
        }
        Err(error) => Check::unknown(subject, error.to_string()),
    }
}
