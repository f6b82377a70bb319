//! Takes, renews and releases leases that are kept on hosts.

use futures_util::future::try_join_all;
use ssh::{Command, Host, HostError, Output};
use support::wait::unix_seconds;

use super::Lease;
use crate::error::Error;

/// The exit code of a renewal of what is not there any more.
const GONE: i32 = 3;

/// Takes the lease on all hosts; false where somebody has it on one of them.
pub(super) async fn take(hosts: &[Host], wanted: &Lease, term: u64) -> Result<bool, Error> {
    // In their order, so that of two who want it at the same time one gets the first.
    for host in hosts {
        let output = run(host, "take", wanted, term).await?;
        if lease(&output).is_none_or(|found| found.id != wanted.id) {
            end(hosts, wanted).await?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// The leases of all hosts.
pub(super) async fn leases(hosts: &[Host]) -> Result<Vec<Lease>, Error> {
    let nobody = super::wanted("");
    let shown = try_join_all(hosts.iter().map(|host| run(host, "show", &nobody, 0))).await?;
    let mut leases: Vec<_> = shown.iter().filter_map(lease).collect();
    leases.dedup_by(|a, b| a.id == b.id);
    Ok(leases)
}

/// Has the lease hold for another term on all hosts; false where it is gone.
pub(super) async fn renew(hosts: &[Host], own: &Lease, term: u64) -> Result<bool, Error> {
    for host in hosts {
        let output = host.attempt(DOING, command("renew", own, term)).await?;
        if output.code == GONE {
            return Ok(false);
        }
        if !output.succeeded() {
            return Err(host.failed(DOING, &output).into());
        }
    }
    Ok(true)
}

/// Ends a lease on all hosts.
pub(super) async fn end(hosts: &[Host], lease: &Lease) -> Result<(), Error> {
    try_join_all(hosts.iter().map(|host| run(host, "end", lease, 0))).await?;
    Ok(())
}

const DOING: &str = "asking for the lease";

async fn run(host: &Host, step: &str, lease: &Lease, term: u64) -> Result<Output, HostError> {
    host.run(DOING, command(step, lease, term)).await
}

fn command(step: &str, lease: &Lease, term: u64) -> Command {
    let script = include_str!("../../templates/lease.sh");
    let arguments = [step, &lease.id, &lease.owner, &lease.purpose, &term.to_string()];
    Command::script(script, &arguments)
}

/// The lease that a host has printed, in this machine's time.
fn lease(output: &Output) -> Option<Lease> {
    let mut fields = output.stdout.trim_end().split('\t');
    let mut next = || fields.next();
    let (id, owner, purpose) = (next()?, next()?, next()?);
    let mut time = || next()?.parse::<u64>().ok();
    let (since, until, now) = (time()?, time()?, time()?);
    let here = |there: u64| (unix_seconds() + there).saturating_sub(now);
    Some(Lease {
        id: id.into(),
        owner: owner.into(),
        purpose: purpose.into(),
        since: here(since),
        until: here(until),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_s_times_are_told_in_this_machine_s() {
        let print = |text: &str| Output { stdout: text.into(), ..Output::default() };
        let found = lease(&print("1f\tme@here (pid 7)\tup\t50\t170\t60\n")).unwrap();
        assert_eq!((found.id.as_str(), found.owner.as_str()), ("1f", "me@here (pid 7)"));
        assert!(unix_seconds() - found.since >= 10 && found.until > unix_seconds());
        assert_eq!(found.until - found.since, 120);
        assert_eq!(lease(&print("")), None);
    }
}
