//! Reads the secrets of services: files whose contents are never printed.

use std::io;
use std::path::PathBuf;

use rest::private;

use crate::config::{Config, Secret, Service};

/// A secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("the secret {} of {service} cannot be read: {source}", path.display())]
    Unreadable {
        /// The service that needs it.
        service: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read it, too.
    #[error(
        "the secret {} of {service} can be read by other users of this machine: run `chmod 600 {}`",
        path.display(), path.display()
    )]
    Shared {
        /// The service that needs it.
        service: String,
        /// The file.
        path: PathBuf,
    },
}

/// The contents of a service's secrets, by their names.
pub fn read(service: &Service) -> Result<Vec<(&'static str, Vec<u8>)>, SecretError> {
    let one = |secret: &Secret| {
        let (bytes, is_shared) = contents(service, secret)?;
        if is_shared && secret.is_confidential() {
            let service = service.name.to_string();
            return Err(SecretError::Shared { service, path: secret.file.clone() });
        }
        Ok((secret.name, bytes))
    };
    service.secrets.iter().map(one).collect()
}

/// The contents of the secrets that can be read, whoever else can, to keep them out of what is
/// shown.
pub fn all(config: &Config) -> impl Iterator<Item = Vec<u8>> {
    config.services.iter().flat_map(|service| {
        let content = |secret| contents(service, secret).ok().map(|(bytes, _)| bytes);
        service.secrets.iter().filter_map(content)
    })
}

/// The contents of a secret, and whether other users can read them.
fn contents(service: &Service, secret: &Secret) -> Result<(Vec<u8>, bool), SecretError> {
    match private::read(&secret.file) {
        // It is created by the first command that needs it; a plan takes it to be empty until then.
        Err(error) if secret.is_generated && error.kind() == io::ErrorKind::NotFound => {
            Ok((Vec::new(), false))
        }
        read => read.map_err(|source| SecretError::Unreadable {
            service: service.name.to_string(),
            path: secret.file.clone(),
            source,
        }),
    }
}

/// Checks that all secrets can be read, before anything is changed.
pub fn check(config: &Config) -> Result<(), SecretError> {
    config.services.iter().try_for_each(|service| read(service).map(drop))
}
