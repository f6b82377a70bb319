//! Finds out why an instance cannot be reached, as far as EC2 knows.

use ec2::{Ec2, Ec2Error, GroupState, Instance, authorize};

use crate::config::Config;
use crate::doctor::Check;

/// What EC2 knows about the way to a port of an instance.
pub(super) async fn diagnose(
    ec2: &Ec2,
    config: &Config,
    instance: &Instance,
    port: u16,
) -> Vec<Check> {
    let id = instance.id.as_str();
    let group = config.group_spec();
    let (impaired, group, route) =
        tokio::join!(ec2.failed_status_checks(id), ec2.group_state(&group), ec2.missing_route(id));
    vec![
        judge("instance", impaired, "EC2's own checks pass", |found| {
            let fix = format!(
                "`aws ec2 stop-instances --instance-ids {id}` and `start-instances` move it to \
                 other hardware, with its data; its address changes"
            );
            (found, fix)
        }),
        security_group(ec2, config, group, port),
        judge("route", route, "the subnet is reached from outside", |found| {
            (found, "add a route to 0.0.0.0/0 over an internet gateway to its route table".into())
        }),
    ]
}

fn security_group(
    ec2: &Ec2,
    config: &Config,
    state: Result<GroupState, Ec2Error>,
    port: u16,
) -> Check {
    let (name, region) = (config.security_group.name.as_str(), ec2.region());
    let open = format!("{name} opens port {port} to some; check that you are one of them");
    let problem = state.map(|state| match state {
        GroupState::NoVpc => Some((
            "there is no default VPC to create it in".into(),
            format!("`aws ec2 create-default-vpc --region {region}`, then `eventpost up`"),
        )),
        GroupState::Missing => Some((
            format!("{name} does not exist"),
            "`eventpost up` makes another one for the new hosts".into(),
        )),
        GroupState::Foreign { id } => Some((
            format!("{id} is called {name}, and is not this stack's"),
            format!(
                "set security_group.name in eventpost.yml: to another name, or to `{name}` to use \
                 that group without changing it"
            ),
        )),
        GroupState::Usable { id, own, closed } if closed.contains(&port) => {
            let command = authorize(region, &id, port, "YOUR-ADDRESS/32");
            let fix = if own {
                format!("`eventpost up` opens it for the new hosts; at once: `{command}`")
            } else {
                format!("it is not this stack's, so `eventpost up` does not open it: `{command}`")
            };
            Some((format!("{name} does not open port {port}"), fix))
        }
        GroupState::Usable { .. } => None,
    });
    match problem {
        Ok(None) => Check::fine("security group", open),
        Ok(Some((found, fix))) => Check::wrong("security group", found, fix),
        Err(error) => Check::unknown("security group", error.to_string()),
    }
}

/// A check of something that EC2 reports a problem of, or none.
fn judge(
    subject: &'static str,
    reported: Result<Option<String>, Ec2Error>,
    fine: &str,
    wrong: impl FnOnce(String) -> (String, String),
) -> Check {
    match reported {
        Ok(None) => Check::fine(subject, fine),
        Ok(Some(problem)) => {
            let (found, fix) = wrong(problem);
            Check::wrong(subject, found, fix)
        }
        Err(error) => Check::unknown(subject, error.to_string()),
    }
}
