//! Decides what a deployment needs. Pure: from the wanted state and the existing state to the
//! actions that lead from one to the other.

pub mod launch;
pub mod preview;
pub mod price;

use std::net::SocketAddr;

/// How a service is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The address it listens on.
    pub address: SocketAddr,
    /// What its program and its environment are, as digests.
    pub release: Release,
}

/// What a process was started from: digests, so that they can be compared and kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Release {
    /// SHA-256 of the program, in hexadecimal.
    pub program: String,
    /// SHA-256 of the environment that the deployment gives it, in hexadecimal.
    pub env: String,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existing {
    /// It does not run.
    Stopped,
    /// It runs at an address; from what, where that is known.
    Running {
        /// The address it listens on.
        address: SocketAddr,
        /// What it was started from.
        release: Option<Release>,
    },
}

/// What has to be done for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it runs as wanted.
    Keep,
    /// It has to be started.
    Start,
    /// It has to be stopped and started anew.
    Restart {
        /// Why, as the user should read it.
        reason: String,
    },
}

/// Decides for one service.
pub fn decide(wanted: &Wanted, existing: &Existing) -> Action {
    let Existing::Running { address, release } = existing else {
        return Action::Start;
    };
    let reason = match release {
        _ if *address != wanted.address => {
            format!("it moves from port {} to {}", address.port(), wanted.address.port())
        }
        None => "it is not known what it was started from".into(),
        Some(release) if release.program != wanted.release.program => "its program changed".into(),
        Some(release) if release.env != wanted.release.env => "its environment changed".into(),
        Some(_) => return Action::Keep,
    };
    Action::Restart { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        let release = Release { program: "p".into(), env: "e".into() };
        Wanted { address: ([127, 0, 0, 1], 8000).into(), release }
    }

    fn running(port: u16, program: &str, env: &str) -> Existing {
        Existing::Running {
            address: ([127, 0, 0, 1], port).into(),
            release: Some(Release { program: program.into(), env: env.into() }),
        }
    }

    fn restarted_because(existing: &Existing) -> String {
        match decide(&wanted(), existing) {
            Action::Restart { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_runs_as_wanted_is_kept_and_what_does_not_run_is_started() {
        assert_eq!(decide(&wanted(), &running(8000, "p", "e")), Action::Keep);
        assert_eq!(decide(&wanted(), &Existing::Stopped), Action::Start);
    }

    #[test]
    fn what_runs_otherwise_is_restarted_and_the_reason_given() {
        assert_eq!(restarted_because(&running(9000, "p", "e")), "it moves from port 9000 to 8000");
        assert_eq!(restarted_because(&running(8000, "q", "e")), "its program changed");
        assert_eq!(restarted_because(&running(8000, "p", "f")), "its environment changed");
        let address = ([127, 0, 0, 1], 8000).into();
        let unknown = Existing::Running { address, release: None };
        assert!(restarted_because(&unknown).contains("not known"));
    }
}
