//! Writes the secrets of a service on a host: files that only its container can read, and that
//! no `docker inspect` shows.

use sha2::{Digest, Sha256};
use ssh::{Command, Host, HostError, quote};
use support::digest::hexadecimal;

use super::container;
use super::files::{self, Reader};
use crate::config::{Secret, Service};
use crate::secrets;

/// Where a container finds its secrets.
const FOLDER: &str = "/run/secrets";
/// Where a host has the secrets of services.
const ON_HOST: &str = "/var/lib/eventpost/secrets";

/// The path of a secret in the container.
pub(super) fn path_in_container(secret: &Secret) -> String {
    format!("{FOLDER}/{}", secret.name)
}

/// Writes the secrets on the host, and returns the folder to mount at [`FOLDER`]; empty if
/// the service has no secrets. Other content gets another folder, so that a container that is
/// kept for a rollback keeps its own.
pub(super) async fn write(host: &Host, service: &Service) -> Result<String, HostError> {
    let read = read(host, service)?;
    let folder = folder_of(service, &read);
    for (name, content) in read {
        let file = format!("{folder}/{name}");
        let command = files::write(&file, Reader::Service, content);
        host.run("writing the secrets", command).await?;
    }
    Ok(folder)
}

/// The folder that [`write()`] would return, without writing anything.
pub(super) fn folder(host: &Host, service: &Service) -> Result<String, HostError> {
    Ok(folder_of(service, &read(host, service)?))
}

/// The newest key for reminders that a service has on a host, if it has one.
pub async fn read_reminder_key(
    host: &Host,
    service: &Service,
) -> Result<Option<String>, HostError> {
    const DOING: &str = "reading the key for reminders";
    let folder = quote(&format!("{ON_HOST}/{}", container(service)));
    let line = format!(
        "file=$(ls -t {folder}/*/reminder-key 2>/dev/null | head -n 1)
         [ -z \"$file\" ] || head -c 4096 \"$file\""
    );
    let command = Command::new(format!("sudo sh -c {}", quote(&line)));
    let key = host.run(DOING, command).await?.stdout;
    Ok(Some(key).filter(|key| !key.is_empty()))
}

fn read(host: &Host, service: &Service) -> Result<Vec<(&'static str, Vec<u8>)>, HostError> {
    secrets::read(service).map_err(|error| HostError::Broken {
        host: host.name().into(),
        doing: "reading the secrets of this machine",
        cause: error.to_string(),
    })
}

fn folder_of(service: &Service, secrets: &[(&'static str, Vec<u8>)]) -> String {
    if secrets.is_empty() {
        return String::new();
    }
    let mut digest = Sha256::new();
    for (name, content) in secrets {
        digest.update(name);
        digest.update([0]);
        digest.update(content);
    }
    let version = hexadecimal(&digest.finalize());
    format!("{ON_HOST}/{}/{}", container(service), &version[..16])
}
