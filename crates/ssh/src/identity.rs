//! Keys: the one that logs in, and those that identify hosts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rest::file::replace_file;
use rest::private;
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey, PublicKey};
use ssh2::Session;

use super::agent;
use super::key_file::{self, KeyFile};

/// A key that logs in, with its public part. Its text never shows in debug output or errors.
#[derive(Clone)]
pub struct Identity {
    private: Private,
    key: PublicKey,
    public: String,
    fingerprint: String,
}

/// Where the private half of a key is.
#[derive(Clone)]
enum Private {
    /// Here: the text of its file, and the passphrase that protects it.
    Text(Arc<str>, Option<Arc<str>>),
    /// In the user's agent.
    Agent,
}

/// Asks the user for the passphrase of a file; `None` if nobody can answer.
pub type AskPassphrase<'a> = &'a dyn Fn(&Path) -> Option<String>;

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
    /// It is no key, or its passphrase is wrong.
    #[error("ssh.key: {path} cannot be used: {cause}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// It is encrypted with a passphrase, and nobody can be asked for it.
    #[error(
        "ssh.key: {path} is protected by a passphrase, and there is no terminal to ask on: add it to \
         an agent with `ssh-add {path}`"
    )]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// It is a public key, and no agent has the private half.
    #[error(
        "ssh.key: {path} is a public key, and no agent has its private half: name the private key, or \
         add it to the agent with `ssh-add`"
    )]
    NotInAgent {
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
    /// Reads a key file. A public key is one of the user's agent. One that a passphrase protects is
    /// used by the agent if that has it; else `ask` is asked for the passphrase.
    pub fn read(path: &Path, ask: AskPassphrase<'_>) -> Result<Self, IdentityError> {
        let unreadable = |cause: String| IdentityError::Unreadable { path: path.into(), cause };
        let (bytes, is_shared) =
            private::read(path).map_err(|error| unreadable(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|error| unreadable(error.to_string()))?;
        let format = |cause: String| IdentityError::Format { path: path.into(), cause };
        let found = key_file::read(&text, None).map_err(format)?;
        if is_shared && !matches!(found, KeyFile::Public(_)) {
            return Err(IdentityError::Shared { path: path.into() });
        }
        match found {
            KeyFile::Private(key) => Self::of(key, Private::Text(text.into(), None)),
            KeyFile::Public(key) | KeyFile::Encrypted(Some(key)) if agent::has(&key) => {
                Self::of(key, Private::Agent)
            }
            KeyFile::Public(_) => return Err(IdentityError::NotInAgent { path: path.into() }),
            KeyFile::Encrypted(_) => {
                let passphrase = ask(path);
                let passphrase =
                    passphrase.ok_or_else(|| IdentityError::Encrypted { path: path.into() })?;
                let opened = key_file::read(&text, Some(&passphrase)).map_err(format)?;
                let KeyFile::Private(key) = opened else {
                    return Err(format("the passphrase does not open it".into()));
                };
                Self::of(key, Private::Text(text.into(), Some(passphrase.into())))
            }
        }
        .map_err(|error| format(error.to_string()))
    }

    /// Writes the private key to a file that only this user can read.
    pub fn store(&self, path: &Path) -> Result<(), IdentityError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        private::create_dir_all(folder)
            .and_then(|()| replace_file(path, 0o600, self.private().as_bytes()))
            .map_err(|error| IdentityError::NotStored {
                path: path.into(),
                cause: error.to_string(),
            })
    }

    /// Generates an ed25519 key that is stored nowhere.
    pub fn generate() -> Result<Self, IdentityError> {
        let generate = || {
            let key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519)?;
            let text = key.to_openssh(LineEnding::LF)?;
            Self::of(key.public_key().clone(), Private::Text(text.as_str().into(), None))
        };
        generate().map_err(|error| IdentityError::NotGenerated { cause: error.to_string() })
    }

    fn of(key: PublicKey, private: Private) -> Result<Self, ssh_key::Error> {
        Ok(Self {
            private,
            public: key.to_openssh()?,
            fingerprint: key.fingerprint(ssh_key::HashAlg::Sha256).to_string(),
            key,
        })
    }

    /// Logs in to a session.
    pub(super) fn log_in(&self, session: &Session, user: &str) -> Result<(), String> {
        match &self.private {
            Private::Text(text, passphrase) => session
                .userauth_pubkey_memory(user, None, text, passphrase.as_deref())
                .map_err(|error| error.message().to_owned()),
            Private::Agent => agent::log_in(session, user, &self.key),
        }
    }

    /// The private key file's text: a secret. Empty if an agent has the key.
    pub fn private(&self) -> &str {
        match &self.private {
            Private::Text(text, _) => text,
            Private::Agent => "",
        }
    }

    /// Whether EC2 takes such a key: RSA and Ed25519, says its user guide, "Create a key pair".
    pub fn is_for_ec2(&self) -> bool {
        matches!(self.key.algorithm(), Algorithm::Rsa { .. } | Algorithm::Ed25519)
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

    fn nobody(_: &Path) -> Option<String> {
        None
    }

    #[test]
    fn a_stored_key_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ssh/id_ed25519");
        let made = Identity::generate().unwrap();
        made.store(&path).unwrap();
        let bits = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((bits(&path), bits(path.parent().unwrap())), (0o600, 0o700));
        let again = Identity::read(&path, &nobody).unwrap();
        assert_eq!(made.public(), again.public());
        assert!(made.public().starts_with("ssh-ed25519 AAAA"), "{}", made.public());
        assert!(!format!("{made:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_key_that_cannot_be_used_is_named_with_a_fix() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let error = Identity::read(&path, &nobody).unwrap_err().to_string();
        assert!(error.starts_with("ssh.key: ") && error.contains("cannot be read"), "{error}");
        Identity::generate().unwrap().store(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Identity::read(&path, &nobody).unwrap_err().to_string();
        assert!(error.contains("run `chmod 600 "), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(Identity::read(&path, &nobody).is_ok());
        let (damaged, public) = (dir.path().join("damaged"), dir.path().join("key.pub"));
        fs::write(&damaged, "-----BEGIN RSA PRIVATE KEY-----\n").unwrap();
        fs::set_permissions(&damaged, fs::Permissions::from_mode(0o400)).unwrap();
        let error = Identity::read(&damaged, &nobody).unwrap_err().to_string();
        assert!(error.contains("cannot be used: "), "{error}");
        fs::write(&public, Identity::generate().unwrap().public()).unwrap();
        let error = Identity::read(&public, &nobody).unwrap_err().to_string();
        assert!(error.contains("no agent has its private half"), "{error}");
    }
}
