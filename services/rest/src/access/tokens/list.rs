//! The list of access tokens that a service accepts. It holds digests, not the tokens.

use jiff::Timestamp;
use subtle::ConstantTimeEq;

use super::{MAX_TOKENS, Role, digest};

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The token's name.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// The SHA-256 of the token.
    pub digest: [u8; 32],
    /// When it expires, if it does.
    pub expires: Option<Timestamp>,
    /// When it was created, if known.
    pub created: Option<Timestamp>,
}

/// A list of tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenList {
    /// Grows with each change, so that an older list never replaces a newer one.
    pub serial: u64,
    pub(super) entries: Vec<Entry>,
}

/// What is wrong with a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TokenListError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it. It does not contain the line's text.
    pub problem: String,
}

impl TokenList {
    /// The tokens, in the order of the list.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Adds a token; the error says why it cannot be added.
    pub fn add(&mut self, entry: Entry) -> Result<(), String> {
        if self.entries.iter().any(|known| known.name == entry.name) {
            return Err(format!("a token named `{}` exists already", entry.name));
        }
        if self.entries.len() == MAX_TOKENS {
            return Err(format!("a list has at most {MAX_TOKENS} tokens"));
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Removes a token; returns whether there was one with that name.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.name != name);
        self.entries.len() < before
    }

    /// The entry of a token, expired or not. Every digest is compared in constant time, so
    /// that the time taken reveals nothing about them.
    pub fn find(&self, token: &[u8]) -> Option<&Entry> {
        let digest = digest(token);
        self.entries.iter().fold(None, |found, entry| {
            if is_same(&entry.digest, &digest) { Some(entry) } else { found }
        })
    }
}

impl Entry {
    /// A number that tells the token from others, and nothing about it.
    pub(crate) fn holder(&self) -> u64 {
        let [first, ..] = self.digest.as_chunks().0 else { unreachable!("there are four") };
        u64::from_ne_bytes(*first)
    }

    /// Whether it has expired at a time, in seconds since 1970.
    pub fn has_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|at| i64::try_from(now).map_or(true, |now| now >= at.as_second()))
    }
}

/// Compares two digests in constant time. All differences are collected before they are
/// looked at once: `ct_eq` on the bytes takes twenty times as long, for each request and each
/// token in the list.
fn is_same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let (a, b) = (a.as_chunks().0, b.as_chunks().0);
    let differences = a
        .iter()
        .zip(b)
        .fold(0, |found, (a, b)| found | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b)));
    differences.ct_eq(&0).into()
}

#[cfg(test)]
mod tests {
    use super::super::{NewToken, PREFIX};
    use super::*;

    #[test]
    fn a_token_has_its_role_until_it_expires() {
        let (token, other) = (NewToken::generate().unwrap(), NewToken::generate().unwrap());
        assert_eq!(token.secret.len(), PREFIX.len() + 64);
        let mut list = TokenList::default();
        let expires = Some("2027-01-01T00:00:00Z".parse().unwrap());
        let (name, role) = ("ci".into(), Role::Write);
        list.add(Entry { name, role, digest: token.digest, expires, created: None }).unwrap();
        let expiry = 1_798_761_600;
        let entry = list.find(token.secret.as_bytes()).unwrap();
        assert_eq!((entry.role, entry.has_expired(expiry - 1)), (Role::Write, false));
        assert!(entry.has_expired(expiry));
        assert_eq!(list.find(other.secret.as_bytes()), None);
        assert_eq!(list.find(b""), None);
    }

    #[test]
    fn digests_are_the_same_only_if_every_bit_is() {
        let digest = NewToken::generate().unwrap().digest;
        assert!(is_same(&digest, &digest.clone()));
        for bit in 0..256 {
            let mut other = digest;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_same(&digest, &other), "{bit}");
        }
    }
}
