//! Decides what a service on this machine needs.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{Action, Operation};

/// How a service should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSpec {
    /// The address that it should listen on.
    pub address: SocketAddr,
    /// Its program and environment.
    pub release: Release,
}

/// What a process was started from: digests, so that they can be compared and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// SHA-256 of the program, in hexadecimal.
    pub program: String,
    /// SHA-256 of the environment, in hexadecimal.
    pub env: String,
}

/// How a service runs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessState {
    /// It does not run.
    Stopped,
    /// It runs.
    Running {
        /// The address that it listens on.
        address: SocketAddr,
        /// What it was started from, if that is known.
        release: Option<Release>,
    },
}

/// The operation that makes a service run as wanted.
pub fn operation(service: &str, wanted: &ProcessSpec, existing: &ProcessState) -> Operation {
    let address = wanted.address;
    let (action, reason) = match existing {
        ProcessState::Stopped => (Action::Start { address }, "it does not run".into()),
        ProcessState::Running { address: current, release } => {
            match difference(wanted, *current, release.as_ref()) {
                None => {
                    let target = format!("process at {address}");
                    (Action::Keep { target }, "it runs as described".into())
                }
                Some(reason) => (Action::Restart { address }, reason),
            }
        }
    };
    Operation::new(service, action, reason)
}

fn difference(
    wanted: &ProcessSpec,
    current: SocketAddr,
    release: Option<&Release>,
) -> Option<String> {
    let (from, to) = (current.port(), wanted.address.port());
    Some(match release {
        _ if current != wanted.address => format!("it moves from port {from} to {to}"),
        None => "it is not known what it was started from".into(),
        Some(release) if release.program != wanted.release.program => "its program changed".into(),
        Some(release) if release.env != wanted.release.env => "its environment changed".into(),
        Some(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(existing: &ProcessState) -> (&'static str, String) {
        let release = Release { program: "p".into(), env: "e".into() };
        let wanted = ProcessSpec { address: ([127, 0, 0, 1], 8000).into(), release };
        let Operation { action, reason, .. } = operation("events", &wanted, existing);
        (action.verb(), reason)
    }

    fn running(port: u16, program: &str, env: &str) -> ProcessState {
        ProcessState::Running {
            address: ([127, 0, 0, 1], port).into(),
            release: Some(Release { program: program.into(), env: env.into() }),
        }
    }

    #[test]
    fn a_service_that_runs_as_wanted_is_kept_and_a_stopped_one_is_started() {
        assert_eq!(planned(&running(8000, "p", "e")).0, "keep");
        assert_eq!(planned(&ProcessState::Stopped).0, "start");
    }

    #[test]
    fn a_service_that_runs_differently_is_restarted_with_the_reason() {
        let address = ([127, 0, 0, 1], 8000).into();
        for (existing, reason) in [
            (running(9000, "p", "e"), "it moves from port 9000 to 8000"),
            (running(8000, "q", "e"), "its program changed"),
            (running(8000, "p", "f"), "its environment changed"),
            (
                ProcessState::Running { address, release: None },
                "it is not known what it was started from",
            ),
        ] {
            assert_eq!(planned(&existing), ("restart", reason.into()));
        }
    }
}
