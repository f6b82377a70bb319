//! Keys: the one that logs in, and those that identify hosts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rest::file::replace_file;
use rest::private;
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey};

/// A private key that logs in, with its public part. Its text never shows in debug
/// output or errors.
#[derive(Clone)]
pub struct Identity {
    private: Arc<str>,
    public: String,
    fingerprint: String,
}

/// How a host proves its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// By one of these ed25519 keys, each as the base64 text of a public key file.
    Keys(Vec<String>),
    /// By the key that a `known_hosts` file has for its address.
    KnownHosts(PathBuf),
}

/// Why there is no key to log in with.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IdentityError {
    /// It cannot be read.
    #[error("ssh.key: {path} cannot be read: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// Others can read it, too.
    #[error("ssh.key: {path} can be read by other users of this machine: run `chmod 600 {path}`")]
    Shared {
        /// The file.
        path: PathBuf,
    },
    /// It is not in the format that `ssh-keygen` writes.
    #[error(
        "ssh.key: {path} is not a private key in OpenSSH's own format ({cause}): \
         `ssh-keygen -p -N '' -f {path}` converts it"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        cause: String,
    },
    /// It is encrypted with a passphrase.
    #[error(
        "ssh.key: {path} is protected by a passphrase: use a key without one, or leave out \
         ssh.key, so that one is created for the stack"
    )]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// A key could not be stored.
    #[error("the key {path} cannot be written: {cause}")]
    NotStored {
        /// Its file.
        path: PathBuf,
        /// What went wrong.
        cause: String,
    },
    /// A key could not be generated.
    #[error("a key cannot be generated: {cause}")]
    NotGenerated {
        /// What went wrong.
        cause: String,
    },
}

impl Identity {
    /// Reads a private key file.
    pub fn read(path: &Path) -> Result<Self, IdentityError> {
        let unreadable = |cause: String| IdentityError::Unreadable { path: path.into(), cause };
        let (bytes, is_shared) =
            private::read(path).map_err(|error| unreadable(error.to_string()))?;
        if is_shared {
            return Err(IdentityError::Shared { path: path.into() });
        }
        let text = String::from_utf8(bytes).map_err(|error| unreadable(error.to_string()))?;
        let format = |error: ssh_key::Error| IdentityError::Format {
            path: path.into(),
            cause: error.to_string(),
        };
        let key = PrivateKey::from_openssh(&text).map_err(format)?;
        if key.is_encrypted() {
            return Err(IdentityError::Encrypted { path: path.into() });
        }
        Self::of(&key, &text).map_err(format)
    }

    /// Writes the private key to a file that only this user can read.
    pub fn store(&self, path: &Path) -> Result<(), IdentityError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        private::create_dir_all(folder)
            .and_then(|()| replace_file(path, 0o600, self.private.as_bytes()))
            .map_err(|error| IdentityError::NotStored {
                path: path.into(),
                cause: error.to_string(),
            })
    }

    /// Generates an ed25519 key that is stored nowhere.
    pub fn generate() -> Result<Self, IdentityError> {
        let generate = || {
            let key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519)?;
            Self::of(&key, &key.to_openssh(LineEnding::LF)?)
        };
        generate().map_err(|error| IdentityError::NotGenerated { cause: error.to_string() })
    }

    fn of(key: &PrivateKey, text: &str) -> Result<Self, ssh_key::Error> {
        Ok(Self {
            private: text.into(),
            public: key.public_key().to_openssh()?,
            fingerprint: key.fingerprint(ssh_key::HashAlg::Sha256).to_string(),
        })
    }

    /// The private key file's text: a secret.
    pub fn private(&self) -> &str {
        &self.private
    }

    /// The public key file's line: algorithm and base64 text.
    pub fn public(&self) -> &str {
        self.public.trim()
    }

    /// The base64 text of the public key.
    pub fn public_base64(&self) -> &str {
        self.public.split(' ').nth(1).unwrap_or_default().trim()
    }

    /// The fingerprint, as `SHA256:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_stored_key_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ssh/id_ed25519");
        let made = Identity::generate().unwrap();
        made.store(&path).unwrap();
        let bits = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((bits(&path), bits(path.parent().unwrap())), (0o600, 0o700));
        let again = Identity::read(&path).unwrap();
        assert_eq!(made.public(), again.public());
        assert!(made.public().starts_with("ssh-ed25519 AAAA"), "{}", made.public());
        assert!(!format!("{made:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_key_that_cannot_be_used_is_named_with_a_fix() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let error = Identity::read(&path).unwrap_err().to_string();
        assert!(error.starts_with("ssh.key: ") && error.contains("cannot be read"), "{error}");
        fs::write(&path, "-----BEGIN RSA PRIVATE KEY-----\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Identity::read(&path).unwrap_err().to_string();
        assert!(error.contains("run `chmod 600 "), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        let error = Identity::read(&path).unwrap_err().to_string();
        assert!(error.contains("ssh-keygen -p"), "{error}");
    }
}
