//! Why something on a host failed.

/// The connection failed, or the command did not end in time.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct TransportError(pub String);

/// Why something on a host failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HostError {
    /// It could not be connected to in time.
    #[error(
        "{host}: no SSH connection to {address} within {seconds} s; the last attempt: {last}. \
         Check that the host runs and that its security group lets this machine in"
    )]
    Unreachable {
        /// The host.
        host: String,
        /// Its address.
        address: String,
        /// How long connecting was tried.
        seconds: u64,
        /// What the last attempt met.
        last: String,
    },
    /// Another host answers at the address, or somebody in between.
    #[error(
        "{host}: {address} answers with a host key that is not the expected one ({found}); nothing \
         was sent to it. {advice}"
    )]
    WrongHostKey {
        /// The host.
        host: String,
        /// Its address.
        address: String,
        /// The key's fingerprint.
        found: String,
        /// How to fix it.
        advice: String,
    },
    /// The host's key must not be accepted any more.
    #[error(
        "{host}: {address} answers with a host key that known_hosts marks as @revoked ({found}); \
         nothing was sent to it. Give the host a new key before you use it again"
    )]
    RevokedHostKey {
        /// The host.
        host: String,
        /// Its address.
        address: String,
        /// The key's fingerprint.
        found: String,
    },
    /// The host refuses the user or the key.
    #[error("{host}: login as {user}@{address} was refused ({cause}): check ssh.user and ssh.key")]
    Denied {
        /// The host.
        host: String,
        /// Its address.
        address: String,
        /// The user.
        user: String,
        /// What the library said.
        cause: String,
    },
    /// The connection broke, or a command took too long.
    #[error("{host}: while {doing}: {cause}")]
    Broken {
        /// The host.
        host: String,
        /// What was being done.
        doing: &'static str,
        /// What went wrong.
        cause: String,
    },
    /// A command failed.
    #[error("{host}: {doing} failed ({status}); its last output:\n{output}")]
    Failed {
        /// The host.
        host: String,
        /// What was being done.
        doing: &'static str,
        /// How it ended.
        status: String,
        /// The end of its output.
        output: String,
    },
}
