//! Looks the key of a host up in OpenSSH's list of known hosts
//! ([sshd(8)](https://man.openbsd.org/sshd.8#SSH_KNOWN_HOSTS_FILE_FORMAT)).

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use base64ct::{Base64, Encoding};
use ssh2::{CheckResult, KnownHostFileKind, Session};

/// What the list says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KnownHost {
    /// It is that of the host.
    Trusted,
    /// It is not in the list, or belongs to another host.
    Unknown,
    /// It must not be accepted from any host.
    Revoked,
}

/// What a list says of the key that a host at an address has shown. Without a file, no host is
/// known.
pub(super) fn look_up(
    session: &Session,
    file: &Path,
    address: SocketAddr,
    key: &[u8],
) -> KnownHost {
    let Ok(bytes) = fs::read(file) else { return KnownHost::Unknown };
    let text = String::from_utf8_lossy(&bytes);
    if is_revoked(&text, &base64(key)) {
        return KnownHost::Revoked;
    }
    let Ok(mut known) = session.known_hosts() else { return KnownHost::Unknown };
    for line in entries(&text) {
        // One by one: the library reads nothing after a line that it does not understand.
        let _ = known.read_str(line, KnownHostFileKind::OpenSSH);
    }
    match known.check_port(&address.ip().to_string(), address.port(), key) {
        CheckResult::Match => KnownHost::Trusted,
        _ => KnownHost::Unknown,
    }
}

/// The lines that name a host and its key.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '@']))
}

/// Whether a line revokes a key. For which hosts it says so does not matter: no host should have
/// it.
fn is_revoked(text: &str, key: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next() == Some("@revoked") && words.any(|word| word == key)
    })
}

/// A key as the text of a public key file has it, of any kind.
pub(super) fn base64(key: &[u8]) -> String {
    Base64::encode_string(key)
}

/// A key's fingerprint, as `ssh-keygen -l` shows it.
pub(super) fn fingerprint(key: &[u8]) -> String {
    ssh_key::PublicKey::from_bytes(key).map_or_else(
        |_| "of an unknown kind".into(),
        |key| key.fingerprint(ssh_key::HashAlg::Sha256).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# comment
@cert-authority * ssh-ed25519 AAAA1

 192.0.2.1 ssh-ed25519 AAAA2
@revoked * ssh-ed25519 AAAA3 stolen
192.0.2.2 ssh-ed25519 AAAA4
";

    #[test]
    fn markers_and_comments_are_no_hosts() {
        let found: Vec<_> = entries(TEXT).collect();
        assert_eq!(found, ["192.0.2.1 ssh-ed25519 AAAA2", "192.0.2.2 ssh-ed25519 AAAA4"]);
    }

    #[test]
    fn a_key_is_revoked_whatever_the_host() {
        assert!(is_revoked(TEXT, "AAAA3"));
        for other in ["AAAA1", "AAAA2", "AAAA4", "AAAA"] {
            assert!(!is_revoked(TEXT, other), "{other}");
        }
    }
}
