//! Replaces the container of a service with another.

use std::time::Duration;

use ssh::{Command, Host, HostError, quote};

use super::{container, operator, secrets, write_env};
use crate::config::Service;

/// For checking, stopping, starting, and going back if that fails.
const TIMEOUT: Duration = Duration::from_secs(300);

/// How a switch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwitchOutcome {
    /// The wanted container runs already.
    Unchanged,
    /// Another container serves; new connections were held for this long.
    Switched(Duration),
}

/// A line of a host's record of what was done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When, in seconds since 1970.
    pub time: u64,
    /// What was done.
    pub action: String,
    /// What served from then on.
    pub image: String,
    /// Who did it.
    pub who: String,
}

/// Runs the service from an image that the host has or can pull, and keeps the container of
/// before.
pub async fn deploy(
    host: &Host,
    service: &Service,
    image: &str,
) -> Result<SwitchOutcome, HostError> {
    write_env(host, service).await?;
    let secrets = secrets::write(host, service).await?;
    switch(host, service, "deploy", image, &secrets).await
}

/// Undoes a deploy that failed on another host.
pub async fn undo(host: &Host, service: &Service) -> Result<SwitchOutcome, HostError> {
    switch(host, service, "undo", "", "").await
}

/// Records that a deploy changed other services and not this one, so that a rollback leaves it
/// alone.
pub async fn note_kept(host: &Host, service: &Service) -> Result<(), HostError> {
    let line = format!("echo kept > /var/lib/eventpost/{}.last", container(service));
    let command = Command::new(format!("sudo sh -c {}", quote(&line)));
    host.run("recording that nothing changed", command).await.map(drop)
}

/// Runs the container that was kept, and keeps the current one.
pub async fn rollback(host: &Host, service: &Service) -> Result<SwitchOutcome, HostError> {
    switch(host, service, "rollback", "", "").await
}

/// How long a service waits for its host to be terminated, in seconds, before it goes on.
const ASIDE_SECONDS: &str = "60";

/// Stops a service whose address is about to move to another host. New connections wait meanwhile.
pub async fn step_aside(host: &Host, service: &Service) -> Result<(), HostError> {
    host.run("finishing what is under way", aside("stop", service)).await.map(drop)
}

/// Makes a service go on whose address has not moved.
pub async fn go_on(host: &Host, service: &Service) -> Result<(), HostError> {
    host.run("starting the service again", aside("go-on", service)).await.map(drop)
}

fn aside(step: &str, service: &Service) -> Command {
    let script = container_script!("step-aside.sh");
    Command::script(script, &[step, &container(service), &ports(service), ASIDE_SECONDS])
}

/// The ports of a service, as scripts read them.
fn ports(service: &Service) -> String {
    service.ports().iter().map(u16::to_string).collect::<Vec<_>>().join(" ")
}

async fn switch(
    host: &Host,
    service: &Service,
    step: &str,
    image: &str,
    secrets: &str,
) -> Result<SwitchOutcome, HostError> {
    let script = container_script!("container-switch.sh");
    let ports = ports(service);
    let published = service.published().join(" ");
    let (name, operator) = (container(service), operator());
    let arguments =
        [step, &name, &ports, image, service.volume.as_str(), &operator, secrets, &published];
    let command = Command::script(script, &arguments).within(TIMEOUT);
    let output = host.run("switching the container", command).await?;
    let millis = output.stdout.trim().strip_prefix("switched ").and_then(|it| it.parse().ok());
    Ok(millis.map_or(SwitchOutcome::Unchanged, |millis| {
        SwitchOutcome::Switched(Duration::from_millis(millis))
    }))
}

/// What was done to the host, the oldest first.
pub async fn history(host: &Host) -> Result<Vec<Record>, HostError> {
    let line = "sudo sh -c 'cat /var/lib/eventpost/history 2>/dev/null || true'";
    let output = host.run("reading the history", Command::new(line)).await?;
    Ok(output.stdout.lines().filter_map(record).collect())
}

fn record(line: &str) -> Option<Record> {
    let mut fields = line.split('\t').map(str::to_owned);
    let mut next = || fields.next();
    let (time, action, image, who) = (next()?.parse().ok()?, next()?, next()?, next()?);
    Some(Record { time, action, image, who })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_records_are_left_out() {
        let read = record("1700000000\tdeploy\teventpost/events:1\tme@here").unwrap();
        assert_eq!((read.time, read.who.as_str()), (1_700_000_000, "me@here"));
        assert_eq!(record("1700000000\tdep"), None);
    }
}
