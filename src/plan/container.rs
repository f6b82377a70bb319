//! Decides what a service on a host needs that exists already.

use super::{Action, Operation};

/// What a host has of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostState {
    /// Whether Docker runs.
    pub has_docker: bool,
    /// The service's container.
    pub container: ContainerState,
    /// Whether the host has the list of tokens that the service should have.
    pub has_tokens: bool,
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
pub fn operations(service: &str, host: &str, image: &str, state: &HostState) -> Vec<Operation> {
    let operation =
        |action, reason: &str| Operation { service: service.into(), action, reason: reason.into() };
    let (host, image) = (host.to_owned(), image.to_owned());
    let mut operations = Vec::new();
    if !state.has_docker {
        let install = Action::InstallDocker { host: host.clone() };
        operations.push(operation(install, "Docker does not run"));
    }
    let changed = match state.container {
        ContainerState::Missing => {
            let create = Action::CreateContainer { host: host.clone(), image };
            operations.push(operation(create, "there is no container"));
            // A new container gets the list before it starts.
            return operations;
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
    operations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(has_docker: bool, container: ContainerState, has_tokens: bool) -> Vec<String> {
        let state = HostState { has_docker, container, has_tokens };
        let operations = operations("events", "10.0.0.1", "events:2", &state);
        let text = |it: &Operation| format!("{} {}", it.action.verb(), it.action.target());
        operations.iter().map(text).collect()
    }

    #[test]
    fn a_host_gets_only_what_differs() {
        assert_eq!(planned(true, ContainerState::AsWanted, true), ["keep 10.0.0.1"]);
        assert_eq!(
            planned(true, ContainerState::AsWanted, false),
            ["update list of tokens on 10.0.0.1"]
        );
        assert_eq!(
            planned(true, ContainerState::OtherImage, true),
            ["update events:2 on 10.0.0.1"]
        );
        assert_eq!(planned(true, ContainerState::Stopped, false).len(), 2);
    }

    #[test]
    fn a_new_host_gets_docker_and_then_a_container() {
        assert_eq!(
            planned(false, ContainerState::Missing, false),
            ["install Docker on 10.0.0.1", "create events:2 on 10.0.0.1"]
        );
    }
}
