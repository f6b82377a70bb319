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

/// The kinds of keys that a list has for a host, as a session prefers them: without a preference, a
/// host would show one that is not in the list, though it has others. Empty if the list has none.
pub(super) fn kinds(session: &Session, file: &Path, address: SocketAddr) -> Vec<&'static str> {
    let Ok(bytes) = fs::read(file) else { return Vec::new() };
    let text = String::from_utf8_lossy(&bytes);
    let mut kinds = Vec::new();
    for line in entries(&text) {
        let Some(algorithms) = algorithms_of(line) else { continue };
        if is_of(session, line, address) && !kinds.contains(&algorithms[0]) {
            kinds.extend(algorithms);
        }
    }
    kinds
}

/// Whether a line is about a host, whose name may be hashed.
fn is_of(session: &Session, line: &str, address: SocketAddr) -> bool {
    let Ok(mut known) = session.known_hosts() else { return false };
    let is_read = known.read_str(line, KnownHostFileKind::OpenSSH).is_ok();
    // No key is this short: those of this host differ from it, and other hosts are not found.
    let found = known.check_port(&address.ip().to_string(), address.port(), &[0]);
    is_read && matches!(found, CheckResult::Mismatch)
}

/// The algorithms by which a host proves that it has the key of a line.
fn algorithms_of(line: &str) -> Option<&'static [&'static str]> {
    Some(match line.split_ascii_whitespace().nth(1)? {
        "ssh-ed25519" => &["ssh-ed25519"],
        "ecdsa-sha2-nistp256" => &["ecdsa-sha2-nistp256"],
        "ecdsa-sha2-nistp384" => &["ecdsa-sha2-nistp384"],
        "ecdsa-sha2-nistp521" => &["ecdsa-sha2-nistp521"],
        "ssh-rsa" => &["rsa-sha2-512", "rsa-sha2-256"],
        _ => return None,
    })
}

/// The number of the first line of a list that nobody can read, if there is one.
pub(super) fn broken_line(file: &Path) -> Option<usize> {
    let text = String::from_utf8_lossy(&fs::read(file).ok()?).into_owned();
    let session = Session::new().ok()?;
    let is_broken = |line: &str| {
        let line = line.trim();
        let is_entry = entries(line).next().is_some();
        let mut words = line.split_ascii_whitespace().skip(1);
        // Kinds that this program does not know are for others.
        let kinds = ["ssh-", "ecdsa-", "sk-"];
        let has_kind = words.next().is_some_and(|it| kinds.iter().any(|kind| it.starts_with(kind)));
        let has_key = has_kind && words.next().is_some();
        let is_read = |line| {
            let mut known = session.known_hosts().ok()?;
            known.read_str(line, KnownHostFileKind::OpenSSH).ok()
        };
        is_entry && (!has_key || (algorithms_of(line).is_some() && is_read(line).is_none()))
    };
    text.lines().position(is_broken).map(|at| at + 1)
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

    /// Real public keys, which no host has.
    const ED25519: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJ6Djm7B3e6WGNyjYYF3wnZ5tKsizQj448pk8aspiHSy";
    const ECDSA: &str = "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEwKVzrVxnsSBJMHc\
        r5p0IDQlcE14Gp4fGA3Urn5vTktZNToqXuY7Dt0gzwe5SrEwsHyglwyI5EZZC6hBH14oks=";

    fn list(lines: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), lines).unwrap();
        file
    }

    #[test]
    fn a_host_is_asked_for_the_kinds_of_keys_that_are_known() {
        let file = list(&format!(
            "192.0.2.1 ecdsa-sha2-nistp256 {ECDSA}\n\
             192.0.2.2,192.0.2.3 ssh-ed25519 {ED25519}\n\
             [192.0.2.1]:2222 ssh-ed25519 {ED25519}\n"
        ));
        let session = Session::new().unwrap();
        let kinds = |address: &str| kinds(&session, file.path(), address.parse().unwrap());
        assert_eq!(kinds("192.0.2.1:22"), ["ecdsa-sha2-nistp256"]);
        assert_eq!(kinds("192.0.2.3:22"), ["ssh-ed25519"]);
        // The library takes an entry without a port for one of every port.
        assert_eq!(kinds("192.0.2.1:2222"), ["ecdsa-sha2-nistp256", "ssh-ed25519"]);
        assert!(kinds("192.0.2.9:22").is_empty());
    }

    #[test]
    fn a_line_that_nobody_can_read_has_a_number() {
        let good = format!("# hosts\n\n192.0.2.1 ssh-ed25519 {ED25519} comment\n@revoked * x y\n");
        assert_eq!(broken_line(list(&good).path()), None);
        for broken in ["192.0.2.1 ssh-ed25519", "192.0.2.1 ssh-ed25519 A!!!", "a broken line"] {
            let file = list(&format!("{good}{broken}\n{good}"));
            assert_eq!(broken_line(file.path()), Some(5), "{broken}");
        }
    }

    #[test]
    fn a_key_is_revoked_whatever_the_host() {
        assert!(is_revoked(TEXT, "AAAA3"));
        for other in ["AAAA1", "AAAA2", "AAAA4", "AAAA"] {
            assert!(!is_revoked(TEXT, other), "{other}");
        }
    }
}
