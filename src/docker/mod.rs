//! Uses Docker on a host: installs it, uploads an image without a registry, runs a container.
//! It works on a [`Host`] and knows neither SSH nor EC2.

/// A script in templates/, behind the functions that scripts about containers share.
macro_rules! container_script {
    ($name:literal) => {
        concat!(
            include_str!("../../templates/container.sh"),
            include_str!(concat!("../../templates/", $name))
        )
    };
}

mod access;
mod compare;
mod container;
mod data;
mod files;
mod secrets;
mod switch;
mod tls;

use std::collections::BTreeMap;
use std::time::Duration;

use ssh::{Command, Host, HostError, quote};
use support::event::Reporter;

use crate::config::{DockerSource, Service};
use crate::image::Image;
use files::Reader;

pub use access::{read_tokens, write_tokens};
pub use compare::compare;
pub use container::{Container, ContainerStatus, facts, inspect, last_lines, logs, report};
pub use data::{DataStep, carry, data, run_data, upload_copy};
pub use secrets::read_reminder_key;
pub use switch::{
    Record, SwitchOutcome, deploy, go_on, history, note_kept, rollback, step_aside, undo,
};
pub use tls::{TlsFiles, read_tls, write_tls};

/// Waiting for cloud-init and for the package manager's lock, then installing.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(900);
/// An image has a few megabytes; this allows for 10 kB/s.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);
const RUN_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a new service stays read-only at most: as long as copies may take.
const READ_ONLY_TIMEOUT: Duration = data::TIMEOUT;

/// The newest version of docker-ce with packages for Ubuntu 18.04.
const DOCKER_CE: &str = "24.0.2";

/// Installs Docker if it does not run.
pub async fn install(
    host: &Host,
    source: DockerSource,
    reporter: Reporter<'_>,
) -> Result<(), HostError> {
    let script = include_str!("../../templates/docker-install.sh");
    let command = Command::script(script, &[source.as_str(), DOCKER_CE]).within(INSTALL_TIMEOUT);
    host.run_reporting("installing Docker", command, reporter).await.map(drop)
}

/// Uploads an image, whether Docker is installed yet or not. Returns the file to load, or
/// `None` if the host has the image.
pub async fn upload(
    host: &Host,
    image: &Image,
    reporter: Reporter<'_>,
) -> Result<Option<String>, HostError> {
    if identity(host, image).await?.as_ref() == Some(&image.identity) {
        return Ok(None);
    }
    let name = image.tag.replace(['/', ':'], "-");
    let file = format!("/var/lib/eventpost/images/{name}.tar");
    let command = files::write(&file, Reader::Root, image.archive.clone()).within(UPLOAD_TIMEOUT);
    host.run_reporting("uploading the image", command, reporter).await?;
    Ok(Some(file))
}

/// Loads an uploaded image and removes its file, whether it can be loaded or not. Fails if Docker
/// has something else under its name then.
pub async fn load(host: &Host, image: &Image, file: &str) -> Result<(), HostError> {
    const DOING: &str = "loading the image";
    let file = quote(file);
    let line = format!("sudo docker load -q -i {file}; code=$?; sudo rm -f {file}; exit $code");
    host.run(DOING, Command::new(line).within(RUN_TIMEOUT)).await?;
    if identity(host, image).await?.as_ref() == Some(&image.identity) {
        return Ok(());
    }
    let tag = &image.tag;
    Err(HostError::Broken {
        host: host.name().into(),
        doing: DOING,
        cause: format!("what Docker has under the name {tag} is not what was sent; run it again"),
    })
}

/// What Docker on the host has under the name of an image, if it has something.
async fn identity(host: &Host, image: &Image) -> Result<Option<String>, HostError> {
    const FORMAT: &str = "{{json .RootFS.Layers}} {{json .Config.Entrypoint}} {{.Config.User}}";
    let tag = quote(&image.tag);
    let line = format!("sudo docker image inspect --format '{FORMAT}' {tag} 2>/dev/null");
    let found = host.attempt("checking for the image", Command::new(line)).await?;
    Ok(found.succeeded().then(|| found.stdout.trim().to_owned()))
}

/// Whether a service accepts writes when its container starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// As it did before; a new one does.
    ReadWrite,
    /// Not until [`DataStep::ReadWrite`], or for some hours: its data are still to be copied.
    ReadOnly,
}

/// Runs the service's container, unless it runs as wanted.
pub async fn run(
    host: &Host,
    service: &Service,
    image: &str,
    mode: WriteMode,
    reporter: Reporter<'_>,
) -> Result<(), HostError> {
    write_env(host, service).await?;
    let secrets = secrets::write(host, service).await?;
    let name = container(service);
    let script = container_script!("container-run.sh");
    let published = service.published().join(" ");
    let operator = operator();
    let seconds = match mode {
        WriteMode::ReadWrite => String::new(),
        WriteMode::ReadOnly => READ_ONLY_TIMEOUT.as_secs().to_string(),
    };
    let arguments =
        [name.as_str(), image, service.volume.as_str(), &published, &operator, &seconds, &secrets];
    let command = Command::script(script, &arguments).within(RUN_TIMEOUT);
    host.run_reporting("starting the container", command, reporter).await.map(drop)
}

/// Writes the environment to where scripts read it. It may hold secrets, too.
async fn write_env(host: &Host, service: &Service) -> Result<(), HostError> {
    let file = format!("/run/eventpost/{}.env", container(service));
    let env = env_file(&service.env_with(secrets::path_in_container));
    let command = files::write(&file, Reader::Root, env);
    host.run("writing the environment", command).await.map(drop)
}

/// The operator as the records of hosts name them: user and machine, as far as they are known.
pub fn operator() -> String {
    let known = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let clean = |text: String| text.chars().filter(known).take(64).collect::<String>();
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let user = user.ok().or_else(account).unwrap_or_default();
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}@{}", clean(user), clean(machine))
}

/// The name of the user that this program runs as (passwd(5)).
fn account() -> Option<String> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines.find(|fields| fields.get(2) == Some(&uid.as_str())).map(|fields| fields[0].to_owned())
}

fn container(service: &Service) -> String {
    format!("eventpost-{}", service.name)
}

/// One `NAME=value` a line, as `docker run --env-file` reads it.
fn env_file(env: &BTreeMap<String, String>) -> String {
    env.iter().map(|(name, value)| format!("{name}={value}\n")).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod scripts;
#[cfg(test)]
mod tests;
