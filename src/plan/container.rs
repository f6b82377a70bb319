//! Decides what a service on a host needs that exists already.

use super::{Action, Operation};

/// What a host has of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostState {
    /// The host's Docker.
    pub docker: DockerState,
    /// The service's container.
    pub container: ContainerState,
    /// Whether the host has the list of tokens that the service should have.
    pub has_tokens: bool,
}

/// The Docker of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerState {
    /// It is not installed, or its installation was interrupted.
    Missing,
    /// It is installed and does not answer, so that nobody knows what it runs.
    Unreachable {
        /// What it said.
        problem: String,
    },
    /// It answers.
    Running,
}

/// Who installs Docker on a host without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DockerInstaller {
    /// This command does.
    ThisCommand,
    /// Only `eventpost up` does, and this is another command.
    Up,
    /// The user has done so, as `docker.source` says.
    User,
}

/// Why a service cannot be made to run as wanted on its host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostProblem {
    /// Docker is not installed, and only `up` installs it.
    #[error("Docker is not installed: `eventpost up` installs it")]
    NoDocker,
    /// Docker is not installed, and must not be.
    #[error(
        "Docker is not installed, and `docker.source` is `present`: install Docker on the host, or \
         set `docker.source: distro`"
    )]
    NoDockerOfUser,
    /// Docker does not answer.
    #[error(
        "Docker is installed but does not answer ({problem}): `sudo systemctl status docker` on \
         the host shows why"
    )]
    DockerUnreachable {
        /// What it said.
        problem: String,
    },
}

/// The container of a service, compared with the wanted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerState {
    /// There is none.
    Missing,
    /// It does not run.
    Stopped,
    /// It runs another image.
    OtherImage,
    /// It runs the image with other settings.
    OtherSettings,
    /// It runs as wanted.
    AsWanted,
}

/// The operations that make a service run as wanted on its host.
pub fn operations(
    service: &str,
    host: &str,
    image: &str,
    state: HostState,
    installer: DockerInstaller,
) -> Result<Vec<Operation>, HostProblem> {
    let operation = |action, reason: &str| Operation::new(service, action, reason);
    let (host, image) = (host.to_owned(), image.to_owned());
    let mut operations = Vec::new();
    match (state.docker, installer) {
        (DockerState::Running, _) => {}
        (DockerState::Unreachable { problem }, _) => {
            return Err(HostProblem::DockerUnreachable { problem });
        }
        (DockerState::Missing, DockerInstaller::Up) => return Err(HostProblem::NoDocker),
        (DockerState::Missing, DockerInstaller::User) => return Err(HostProblem::NoDockerOfUser),
        (DockerState::Missing, DockerInstaller::ThisCommand) => {
            let install = Action::InstallDocker { host: host.clone() };
            operations.push(operation(install, "there is no Docker"));
        }
    }
    let changed = match state.container {
        ContainerState::Missing => {
            let create = Action::CreateContainer { host: host.clone(), image };
            operations.push(operation(create, "there is no container"));
            // A new container gets the list before it starts.
            return Ok(operations);
        }
        ContainerState::Stopped => Some("it does not run"),
        ContainerState::OtherImage => Some("its image changed"),
        ContainerState::OtherSettings => Some("its settings changed"),
        ContainerState::AsWanted => None,
    };
    if !state.has_tokens {
        let tokens = Action::UpdateTokens { host: host.clone() };
        operations.push(operation(tokens, "the list of tokens changed"));
    }
    if let Some(reason) = changed {
        operations.push(operation(Action::UpdateContainer { host: host.clone(), image }, reason));
    }
    if operations.is_empty() {
        operations.push(operation(Action::Keep { target: host }, "it runs as described"));
    }
    Ok(operations)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(
        docker: DockerState,
        container: ContainerState,
        has_tokens: bool,
        installer: DockerInstaller,
    ) -> Result<Vec<String>, HostProblem> {
        let state = HostState { docker, container, has_tokens };
        let operations = operations("events", "10.0.0.1", "events:2", state, installer)?;
        let text = |it: &Operation| format!("{} {}", it.action.verb(), it.action.target());
        Ok(operations.iter().map(text).collect())
    }

    fn planned(container: ContainerState, has_tokens: bool) -> Vec<String> {
        decided(DockerState::Running, container, has_tokens, DockerInstaller::Up).unwrap()
    }

    #[test]
    fn a_host_gets_only_what_differs() {
        assert_eq!(planned(ContainerState::AsWanted, true), ["keep 10.0.0.1"]);
        assert_eq!(planned(ContainerState::AsWanted, false), ["update list of tokens on 10.0.0.1"]);
        assert_eq!(planned(ContainerState::OtherImage, true), ["update events:2 on 10.0.0.1"]);
        assert_eq!(planned(ContainerState::Stopped, false).len(), 2);
        assert_eq!(planned(ContainerState::Missing, false), ["create events:2 on 10.0.0.1"]);
    }

    #[test]
    fn a_new_host_gets_docker_and_then_a_container() {
        let missing = (DockerState::Missing, ContainerState::Missing);
        assert_eq!(
            decided(missing.0, missing.1, false, DockerInstaller::ThisCommand).unwrap(),
            ["install Docker on 10.0.0.1", "create events:2 on 10.0.0.1"]
        );
    }

    #[test]
    fn what_a_command_does_not_do_is_a_problem_and_not_an_operation() {
        let unreachable = DockerState::Unreachable { problem: "no daemon".into() };
        for (docker, installer, problem) in [
            (DockerState::Missing, DockerInstaller::Up, "`eventpost up` installs it"),
            (DockerState::Missing, DockerInstaller::User, "`docker.source` is `present`"),
            (unreachable, DockerInstaller::ThisCommand, "does not answer (no daemon)"),
        ] {
            let refused = decided(docker, ContainerState::Missing, true, installer).unwrap_err();
            assert!(refused.to_string().contains(problem), "{refused}");
        }
    }
}
