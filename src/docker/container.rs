//! Inspects a service's container on a host: its state, its log, and what `doctor` asks for.

use std::fmt;

use ssh::{Command, Host, HostError};

use super::container;
use crate::config::Service;

/// A service's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its status.
    pub status: ContainerStatus,
    /// How often Docker has restarted it.
    pub restarts: u32,
    /// The name of its image.
    pub image: String,
}

/// The status of a container, in Docker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerStatus {
    /// It has never been started.
    Created,
    /// Its program runs.
    Running,
    /// Its program is suspended.
    Paused,
    /// Its program has ended, and Docker is about to start it again.
    Restarting,
    /// It is being removed.
    Removing,
    /// Its program has ended.
    Exited,
    /// It could not be removed.
    Dead,
}

impl ContainerStatus {
    const ALL: [Self; 7] = [
        Self::Created,
        Self::Running,
        Self::Paused,
        Self::Restarting,
        Self::Removing,
        Self::Exited,
        Self::Dead,
    ];

    /// The status with this word of Docker's.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Docker's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for ContainerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Container {
    /// Reads `STATE IMAGE RESTARTS`.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (status, image, restarts) = (words.next()?, words.next()?, words.next()?);
        let (status, restarts) = (ContainerStatus::parse(status)?, restarts.parse().ok()?);
        Some(Self { status, restarts, image: image.into() })
    }

    /// Whether its program ends again and again, or has ended for good: it will not become
    /// ready.
    pub fn has_failed(&self) -> bool {
        matches!(self.status, ContainerStatus::Restarting | ContainerStatus::Exited)
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.restarts {
            0 => write!(f, "{}", self.status),
            restarts => write!(f, "{} (×{restarts})", self.status),
        }
    }
}

/// The service's container; `None` if there is none. Fails if Docker does not answer.
pub async fn inspect(host: &Host, service: &Service) -> Result<Option<Container>, HostError> {
    const DOING: &str = "inspecting the container";
    let command = Command::script(container_script!("container-state.sh"), &[&container(service)]);
    let answer = host.run(DOING, command).await?.stdout;
    let answer = answer.trim();
    if answer.is_empty() {
        return Ok(None);
    }
    let read = Container::parse(answer).ok_or_else(|| HostError::Broken {
        host: host.name().into(),
        doing: DOING,
        cause: format!("Docker describes it in a way that this version cannot read: `{answer}`"),
    })?;
    Ok(Some(read))
}

/// The command line that prints the end of the container's log, and follows it if `follow`.
pub fn logs(service: &Service, tail: u32, follow: bool) -> String {
    let follow = if follow { " --follow" } else { "" };
    format!("sudo docker logs --tail {tail}{follow} {} 2>&1", container(service))
}

/// The end of the container's log.
pub async fn last_lines(host: &Host, service: &Service) -> String {
    let line = format!("sudo docker logs --tail 15 {} 2>&1", container(service));
    match host.attempt("reading the container's log", Command::new(line)).await {
        Ok(output) => output.last_lines(),
        Err(error) => format!("  (they cannot be read: {error})"),
    }
}

/// The state of a host and of the service's container, as `doctor::Facts` reads it.
pub async fn facts(host: &Host, service: &Service) -> Result<String, HostError> {
    let script = container_script!("doctor.sh");
    let ports = service.ports().iter().map(u16::to_string).collect::<Vec<_>>().join("|");
    let command = Command::script(script, &[&container(service), &ports]);
    Ok(host.run("inspecting the host", command).await?.stdout)
}

/// Logs and states of a host for a bundle, without the container's environment.
pub async fn report(host: &Host, service: &Service) -> Result<String, HostError> {
    let script = include_str!("../../templates/doctor-files.sh");
    let command = Command::script(script, &[&container(service)]);
    Ok(host.run("inspecting the host", command).await?.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_read_as_docker_describes_it() {
        let read = Container::parse("restarting eventpost/events:1 3\n").unwrap();
        assert_eq!(read.to_string(), "restarting (×3)");
        assert!(read.has_failed());
        let read = Container::parse("running eventpost/events:1 0\n").unwrap();
        assert_eq!((read.to_string().as_str(), read.has_failed()), ("running", false));
        for other in ["", "running", "asleep image 0", "running image some"] {
            assert_eq!(Container::parse(other), None, "{other}");
        }
    }
}
