//! Acquires, renews and releases locks that are kept on hosts.

use futures_util::future::try_join_all;
use ssh::{Command, Host, HostError, Output};
use support::wait::unix_seconds;

use super::Lock;
use crate::error::Error;

/// The exit code of a renewal whose lock is gone.
const GONE: i32 = 3;

/// Acquires the lock on all hosts; false if another command holds it on one of them.
pub(super) async fn acquire(hosts: &[Host], requested: &Lock, term: u64) -> Result<bool, Error> {
    // In order, so that the first host decides between two commands.
    for host in hosts {
        let output = run(host, "acquire", requested, term).await?;
        if parse(&output).is_none_or(|lock| lock.id != requested.id) {
            release(hosts, requested).await?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// The locks of all hosts.
pub(super) async fn locks(hosts: &[Host]) -> Result<Vec<Lock>, Error> {
    let none = super::request("");
    let outputs = try_join_all(hosts.iter().map(|host| run(host, "show", &none, 0))).await?;
    let mut locks: Vec<_> = outputs.iter().filter_map(parse).collect();
    locks.dedup_by(|a, b| a.id == b.id);
    Ok(locks)
}

/// Renews the lock for another term on all hosts; false if it is gone.
pub(super) async fn renew(hosts: &[Host], own: &Lock, term: u64) -> Result<bool, Error> {
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

/// Releases a lock on all hosts.
pub(super) async fn release(hosts: &[Host], lock: &Lock) -> Result<(), Error> {
    try_join_all(hosts.iter().map(|host| run(host, "release", lock, 0))).await?;
    Ok(())
}

const DOING: &str = "accessing the lock";

async fn run(host: &Host, step: &str, lock: &Lock, term: u64) -> Result<Output, HostError> {
    host.run(DOING, command(step, lock, term)).await
}

fn command(step: &str, lock: &Lock, term: u64) -> Command {
    let script = include_str!("../../templates/lock.sh");
    let arguments = [step, &lock.id, &lock.owner, &lock.purpose, &term.to_string()];
    Command::script(script, &arguments)
}

/// The lock that a host printed, with its times converted to this machine's clock.
fn parse(output: &Output) -> Option<Lock> {
    let mut fields = output.stdout.trim_end().split('\t');
    let mut next = || fields.next();
    let (id, owner, purpose) = (next()?, next()?, next()?);
    let mut time = || next()?.parse::<u64>().ok();
    let (since, expires, now) = (time()?, time()?, time()?);
    let here = |there: u64| (unix_seconds() + there).saturating_sub(now);
    Some(Lock {
        id: id.into(),
        owner: owner.into(),
        purpose: purpose.into(),
        since: here(since),
        expires: here(expires),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_host_are_converted_to_this_clock() {
        let print = |text: &str| Output { stdout: text.into(), ..Output::default() };
        let lock = parse(&print("1f\tme@here (pid 7)\tup\t50\t170\t60\n")).unwrap();
        assert_eq!((lock.id.as_str(), lock.owner.as_str()), ("1f", "me@here (pid 7)"));
        assert!(unix_seconds() - lock.since >= 10 && lock.expires > unix_seconds());
        assert_eq!(lock.expires - lock.since, 120);
        assert_eq!(parse(&print("")), None);
    }
}
