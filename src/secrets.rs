//! Reads the secrets of services: files whose contents are never printed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::{Config, Service};

/// A secret cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the secret {} of {service} cannot be read: {source}", path.display())]
pub struct SecretError {
    /// The service that needs it.
    pub service: String,
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl SecretError {
    /// Whether the secret is this file, and the file does not exist.
    pub fn is_missing(&self, file: &Path) -> bool {
        self.path == file && self.source.kind() == io::ErrorKind::NotFound
    }
}

/// The contents of a service's secrets, by their names.
pub fn read(service: &Service) -> Result<Vec<(&'static str, Vec<u8>)>, SecretError> {
    let one = |secret: &crate::config::Secret| {
        let path = &secret.file;
        let bytes = fs::read(path).map_err(|source| SecretError {
            service: service.name.to_string(),
            path: path.clone(),
            source,
        })?;
        Ok((secret.name, bytes))
    };
    service.secrets.iter().map(one).collect()
}

/// Checks that all secrets can be read, before anything is changed.
pub fn check(config: &Config) -> Result<(), SecretError> {
    config.services.iter().try_for_each(|service| read(service).map(drop))
}
