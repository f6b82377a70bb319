//! Uses Docker on a host: installs it, uploads an image without a registry, runs a container.
//! It takes a [`Host`] and knows neither SSH nor EC2.

mod access;
mod compare;
mod data;
mod secrets;
mod switch;

use std::collections::BTreeMap;
use std::time::Duration;

use ssh::{Command, Host, HostError, quote};
use support::event::Reporter;

use crate::config::{DockerSource, Service};
use crate::image::Image;

pub use access::{read_tokens, write_tokens};
pub use compare::compare;
pub use data::{DataStep, carry, data, run_data, upload_copy};
pub use switch::{Record, Switched, deploy, history, note_kept, rollback, undo};

/// Waiting for cloud-init and for the package manager's lock, then installing.
const INSTALL_LIMIT: Duration = Duration::from_secs(900);
/// An image has a few megabytes; this allows for 10 kB/s.
const UPLOAD_LIMIT: Duration = Duration::from_secs(600);
const RUN_LIMIT: Duration = Duration::from_secs(300);

/// For how long a new service takes no writes at the most: as long as copies may take.
const NO_WRITES_LIMIT: Duration = data::LIMIT;

/// The version of docker-ce that still has packages for Ubuntu 18.04 and is in use
/// with them.
const DOCKER_CE: &str = "24.0.2";

/// What is known of a service's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Docker's word for its state.
    pub state: String,
    /// The name of its image.
    pub image: String,
}

/// Sees to it that Docker runs.
pub async fn install(
    host: &Host,
    source: DockerSource,
    reporter: Reporter<'_>,
) -> Result<(), HostError> {
    let script = include_str!("../../templates/docker-install.sh");
    let command = Command::script(script, &[source.as_str(), DOCKER_CE]).within(INSTALL_LIMIT);
    host.run_reporting("installing Docker", command, reporter).await.map(drop)
}

/// Brings an image to the host, whether Docker is there yet or not. Returns the file
/// to load, or nothing where the host has the image.
pub async fn upload(
    host: &Host,
    image: &Image,
    reporter: Reporter<'_>,
) -> Result<Option<String>, HostError> {
    let has = format!("sudo docker image inspect {} >/dev/null 2>&1", quote(&image.tag));
    if host.attempt("looking for the image", Command::new(has)).await?.succeeded() {
        return Ok(None);
    }
    let file = format!("/var/tmp/{}.tar", image.tag.replace(['/', ':'], "-"));
    // A file under its own name is whole: a connection that breaks leaves only a part.
    let line = format!("cat > {0}.part && mv {0}.part {0}", quote(&file));
    let command = Command::new(line).stdin(image.archive.clone()).within(UPLOAD_LIMIT);
    host.run_reporting("uploading the image", command, reporter).await?;
    Ok(Some(file))
}

/// Loads an uploaded image and removes its file.
pub async fn load(host: &Host, file: &str) -> Result<(), HostError> {
    let file = quote(file);
    let line = format!("sudo docker load -q -i {file} && rm -f {file}");
    host.run("loading the image", Command::new(line).within(RUN_LIMIT)).await.map(drop)
}

/// How a service is to be when its container begins to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// It takes writes, or refuses them, as it did before.
    Writes,
    /// It takes none until [`DataStep::Take`], or for some hours: its data are to come.
    NoWrites,
}

/// Runs the service's container, unless it runs as wanted.
pub async fn run(
    host: &Host,
    service: &Service,
    image: &str,
    taking: Taking,
    reporter: Reporter<'_>,
) -> Result<(), HostError> {
    write_env(host, service).await?;
    let secrets = secrets::write(host, service).await?;
    let name = container(service);
    let script = concat!(
        include_str!("../../templates/container.sh"),
        include_str!("../../templates/container-run.sh")
    );
    let port = service.port.to_string();
    let who = who();
    let seconds = match taking {
        Taking::Writes => String::new(),
        Taking::NoWrites => NO_WRITES_LIMIT.as_secs().to_string(),
    };
    let arguments =
        [name.as_str(), image, service.volume.as_str(), &port, &who, &seconds, &secrets];
    let command = Command::script(script, &arguments).within(RUN_LIMIT);
    host.run_reporting("starting the container", command, reporter).await.map(drop)
}

/// Writes the environment to where scripts take it from: through standard input, since
/// somebody may have put secrets there, too.
async fn write_env(host: &Host, service: &Service) -> Result<(), HostError> {
    let file = format!("/run/eventpost/{}.env", container(service));
    let line = format!("sudo mkdir -p -m 0700 /run/eventpost && sudo sh -c {}", {
        quote(&format!("umask 077 && cat > {file}"))
    });
    let command = Command::new(line).stdin(env_file(&service.env_with(secrets::path_in_container)));
    host.run("writing the environment", command).await.map(drop)
}

/// Whom the hosts' records name: the user and the machine, as far as they are known.
pub fn who() -> String {
    let known = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let clean = |text: String| text.chars().filter(known).take(64).collect::<String>();
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let user = user.ok().or_else(account).unwrap_or_default();
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}@{}", clean(user), clean(machine))
}

/// The name of the user whom the system runs this program for (passwd(5)).
fn account() -> Option<String> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines.find(|fields| fields.get(2) == Some(&uid.as_str())).map(|fields| fields[0].to_owned())
}

/// The line that prints the container's log, its last lines or those that come, too.
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

/// What a host says of itself and of the service's container, as
/// [`Facts`](crate::doctor::Facts) reads it.
pub async fn facts(host: &Host, service: &Service) -> Result<String, HostError> {
    let script = include_str!("../../templates/doctor.sh");
    let arguments = [&container(service), &service.port.to_string()];
    let command = Command::script(script, &arguments.map(String::as_str));
    Ok(host.run("looking at the host", command).await?.stdout)
}

/// Everything that a host has to say that may help, without the container's environment.
pub async fn report(host: &Host, service: &Service) -> Result<String, HostError> {
    let script = include_str!("../../templates/doctor-files.sh");
    let command = Command::script(script, &[&container(service)]);
    Ok(host.run("looking at the host", command).await?.stdout)
}

/// How the service's container is; none where there is no container.
pub async fn inspect(host: &Host, service: &Service) -> Result<Option<Container>, HostError> {
    let format = "{{.State.Status}} {{.Config.Image}} {{.RestartCount}}";
    let name = container(service);
    let line = format!("sudo docker inspect --format {} {name}", quote(format));
    let output = host.attempt("looking at the container", Command::new(line)).await?;
    let mut words = output.stdout.split_whitespace();
    Ok(match (output.succeeded(), words.next(), words.next(), words.next()) {
        (true, Some(state), Some(image), Some(restarts)) => {
            let again = if restarts == "0" { String::new() } else { format!(" (×{restarts})") };
            Some(Container { state: format!("{state}{again}"), image: image.into() })
        }
        _ => None,
    })
}

fn container(service: &Service) -> String {
    format!("eventpost-{}", service.name)
}

/// One `NAME=value` a line, as `docker run --env-file` reads it.
fn env_file(env: &BTreeMap<String, String>) -> String {
    env.iter().map(|(name, value)| format!("{name}={value}\n")).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests;
