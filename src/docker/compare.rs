//! Compares a service's container on a host with the wanted one, without changing anything.

use ssh::{Command, Host, HostError};
use support::digest::sha256;

use super::{container, env_file, secrets};
use crate::config::Service;
use crate::plan::container::{ContainerState, DockerState};

/// Whether Docker runs on the host, and how the service's container compares with the wanted
/// one.
pub async fn compare(
    host: &Host,
    service: &Service,
    image: &str,
) -> Result<(DockerState, ContainerState), HostError> {
    let script = container_script!("container-facts.sh");
    let command = Command::script(script, &[&container(service), image]);
    let output = host.run("comparing the container", command).await?;
    let secrets = secrets::folder(host, service)?;
    Ok(judge(&output.stdout, |image_id| spec(service, image_id, &secrets)))
}

/// The part of each script that has the options of every container.
const SHARED: &str = include_str!("../../templates/container.sh");

/// A digest of all that a container is created with, as templates/container.sh computes it.
fn spec(service: &Service, image_id: &str, secrets: &str) -> String {
    let env = env_file(&service.env_with(secrets::path_in_container));
    let parts = [
        image_id,
        service.volume.as_str(),
        &service.published().join(" "),
        env.trim_end_matches('\n'),
        secrets,
        options(),
    ];
    sha256(parts.map(|part| format!("{part}\n")).concat())
}

/// The options of every container, as the scripts have them.
fn options() -> &'static str {
    let (_, rest) = SHARED.split_once("hardened='").unwrap_or_default();
    rest.split_once('\'').unwrap_or_default().0
}

fn judge(facts: &str, spec: impl Fn(&str) -> String) -> (DockerState, ContainerState) {
    let fact = |name: &str| {
        let mut values = facts.lines().filter_map(|line| line.split_once('='));
        values.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let docker = match fact("docker") {
        Some("running") => DockerState::Running,
        Some("unreachable") => {
            DockerState::Unreachable { problem: fact("problem").unwrap_or_default().into() }
        }
        _ => DockerState::Missing,
    };
    let wanted_image = fact("image").unwrap_or_default();
    let is_as_wanted = fact("spec") == Some(&spec(wanted_image));
    let container = match fact("running") {
        None => ContainerState::Missing,
        Some("true") if is_as_wanted => ContainerState::AsWanted,
        Some(_) if is_as_wanted => ContainerState::Stopped,
        Some(_) if fact("container_image") == Some(wanted_image) => ContainerState::OtherSettings,
        Some(_) => ContainerState::OtherImage,
    };
    (docker, container)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_containers_are_found() {
        let options = options();
        assert!(options.starts_with("--user 65532:65532 ") && options.ends_with("max-file=3"));
    }

    #[test]
    fn the_facts_of_a_host_say_what_differs() {
        let judged = |facts: &str| judge(facts, |image| format!("spec of {image}"));
        let facts = |running: &str, image: &str, spec: &str| {
            format!(
                "docker=running\nimage=sha256:1\nrunning={running}\ncontainer_image={image}\nspec={spec}\n"
            )
        };
        let wanted = "spec of sha256:1";
        for (text, state) in [
            ("docker=running\nimage=\n".into(), ContainerState::Missing),
            (facts("true", "sha256:1", wanted), ContainerState::AsWanted),
            (facts("false", "sha256:1", wanted), ContainerState::Stopped),
            (facts("true", "sha256:1", "other"), ContainerState::OtherSettings),
            (facts("true", "sha256:2", "other"), ContainerState::OtherImage),
        ] {
            assert_eq!(judged(&text), (DockerState::Running, state), "{text}");
        }
    }

    #[test]
    fn a_docker_that_does_not_answer_is_not_a_missing_one() {
        let docker = |facts: &str| judge(facts, |_| String::new()).0;
        assert_eq!(docker("docker=missing\n"), DockerState::Missing);
        let problem = "Cannot connect to the Docker daemon".to_owned();
        let text = format!("docker=unreachable\nproblem={problem}\n");
        assert_eq!(docker(&text), DockerState::Unreachable { problem });
    }
}
