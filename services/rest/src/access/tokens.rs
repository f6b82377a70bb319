//! The list of access tokens: a line for each, with its name, its role, the SHA-256 of
//! the token, and when it expires. The tokens themselves are kept by those who use them.
//!
//! ```text
//! # serial 3
//! operator admin 9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab - 2026-11-25T10:00:00Z
//! ci write e8b7be43b4f5d1c9c5f8c9b1f0e6a1d3a0c6d9a5f4b3c2d1e0f9a8b7c6d5e4f3 2027-01-01T00:00:00Z
//! ```
//!
//! Fields are separated by blanks, lines also by commas, so that an environment variable
//! can hold a list. `-` is no expiry; the last field, when the token was made, is for
//! people and may be left out.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::hex;

/// The longest list, in bytes.
pub const MOST_BYTES: usize = 256 << 10;
/// The most tokens in a list: each request is compared with all of them.
pub const MOST_TOKENS: usize = 1000;

/// No list is changed more often.
const MAX_SERIAL: u64 = 1 << 40;
const LONGEST_NAME: usize = 64;
/// What tokens begin with, so that people and scanners for leaked secrets know them.
pub const PREFIX: &str = "eventpost_";

/// What a token allows; each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read what is private.
    Read,
    /// Also change and delete.
    Write,
    /// Also read metrics and details, and retry what failed.
    Admin,
}

/// A token that was made just now. It is shown once.
pub struct NewToken {
    /// The token.
    pub secret: String,
    /// What a list keeps of it.
    pub digest: [u8; 32],
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// The SHA-256 of the token.
    pub digest: [u8; 32],
    /// From when on it is not accepted any more.
    pub expires: Option<Timestamp>,
    /// When it was made.
    pub created: Option<Timestamp>,
}

/// A list of tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenList {
    /// Grows with each change, so that an older list never replaces a newer one.
    pub serial: u64,
    entries: Vec<Entry>,
}

/// What is wrong with a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TokenListError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it. It never has the line's text.
    pub problem: String,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == text);
        role.ok_or_else(|| "the role must be read, write or admin".into())
    }
}

impl NewToken {
    /// Makes a token of 256 random bits. The error is the system's, which has none.
    pub fn make() -> std::io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        let mut digits = [0; 64];
        hex::write(&bytes, &mut digits);
        let secret = format!("{PREFIX}{}", String::from_utf8_lossy(&digits));
        let digest = Sha256::digest(&secret).into();
        Ok(Self { secret, digest })
    }
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken").finish_non_exhaustive()
    }
}

/// What a list keeps of a token.
pub fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Whether a text looks like a token that was made by [`NewToken::make`].
pub fn is_token(text: &str) -> bool {
    text.strip_prefix(PREFIX).and_then(hex::read::<32>).is_some()
}

/// Whether a text can be a token's name.
pub fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.@".contains(&b);
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(allowed) && text != "-"
}

impl TokenList {
    /// Reads a list. Two tokens must not have the same name.
    pub fn parse(text: &str) -> Result<Self, TokenListError> {
        let mut list = Self::default();
        for (n, line) in text.lines().enumerate() {
            let failed = |problem: String| TokenListError { line: n + 1, problem };
            if let Some(comment) = line.trim().strip_prefix('#') {
                if let Some(serial) = comment.trim().strip_prefix("serial ") {
                    let serial = serial.trim().parse().ok().filter(|n| *n <= MAX_SERIAL);
                    list.serial =
                        serial.ok_or_else(|| failed("the serial must be a number".into()))?;
                }
                continue;
            }
            for part in line.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                let entry = entry(part).map_err(failed)?;
                list.add(entry).map_err(failed)?;
            }
        }
        Ok(list)
    }

    /// The tokens, in the order of the list.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Adds a token; the error says why it cannot be added.
    pub fn add(&mut self, entry: Entry) -> Result<(), String> {
        if self.entries.iter().any(|known| known.name == entry.name) {
            return Err(format!("a token named `{}` exists already", entry.name));
        }
        if self.entries.len() == MOST_TOKENS {
            return Err(format!("a list has at most {MOST_TOKENS} tokens"));
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Removes a token; false where there is none of that name.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.name != name);
        self.entries.len() < before
    }

    /// The entry of a token, expired or not. Every digest is compared in constant time, so
    /// that the time taken tells nothing about them.
    pub fn find(&self, token: &[u8]) -> Option<&Entry> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        self.entries.iter().fold(None, |found, entry| {
            if is_same(&entry.digest, &digest) { Some(entry) } else { found }
        })
    }

    /// What a token allows at a time, in seconds since 1970.
    pub fn role(&self, token: &[u8], now: u64) -> Option<Role> {
        let entry = self.find(token)?;
        (!entry.has_expired(now)).then_some(entry.role)
    }
}

impl Entry {
    /// Whether it is not accepted any more, in seconds since 1970.
    pub fn has_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|at| i64::try_from(now).map_or(true, |now| now >= at.as_second()))
    }
}

/// Whether two digests are the same, in a time that tells nothing about them. All differences
/// are gathered before they are looked at once: byte by byte, `ct_eq` takes twenty times as
/// long, which each request would pay for each token in the list.
fn is_same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let (a, b) = (a.as_chunks().0, b.as_chunks().0);
    let differences = a
        .iter()
        .zip(b)
        .fold(0, |found, (a, b)| found | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b)));
    differences.ct_eq(&0).into()
}

fn entry(text: &str) -> Result<Entry, String> {
    let mut fields = text.split_ascii_whitespace();
    let mut next = || fields.next().unwrap_or_default();
    let (name, role, digest, expires, created) = (next(), next(), next(), next(), next());
    if fields.next().is_some() {
        return Err("a token has at most NAME ROLE SHA-256 EXPIRES CREATED".into());
    }
    if !is_name(name) {
        return Err(format!("the name must be 1 to {LONGEST_NAME} letters, digits or any of -_.@"));
    }
    let time = |text: &str, what: &str| match text {
        "" | "-" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| format!("{name}: {what} must be a time like 2027-01-01T00:00:00Z, or -")),
    };
    Ok(Entry {
        name: name.into(),
        role: role.parse().map_err(|problem| format!("{name}: {problem}"))?,
        digest: hex::read(digest)
            .ok_or_else(|| format!("{name}: the SHA-256 must be 64 hexadecimal digits"))?,
        expires: time(expires, "the expiry")?,
        created: time(created, "the creation")?,
    })
}

impl fmt::Display for TokenList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# NAME ROLE SHA-256 EXPIRES CREATED; change it with `eventpost token`")?;
        writeln!(f, "# serial {}", self.serial)?;
        for Entry { name, role, digest, expires, created } in &self.entries {
            let mut digits = [0; 64];
            hex::write(digest, &mut digits);
            let digits = String::from_utf8_lossy(&digits).into_owned();
            let time = |at: &Option<Timestamp>| at.map_or("-".into(), |at| at.to_string());
            writeln!(f, "{name} {role} {digits} {} {}", time(expires), time(created))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(token: &NewToken, expires: Option<&str>) -> TokenList {
        let mut list = TokenList { serial: 7, ..TokenList::default() };
        let expires = expires.map(|text| text.parse().unwrap());
        let (name, role) = ("ci".into(), Role::Write);
        list.add(Entry { name, role, digest: token.digest, expires, created: None }).unwrap();
        list
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let token = NewToken::make().unwrap();
        for expires in [None, Some("2027-01-01T00:00:00Z")] {
            let list = list(&token, expires);
            let text = list.to_string();
            assert!(!text.contains(&token.secret) && !format!("{token:?}").contains("eventpost_"));
            assert_eq!(TokenList::parse(&text).unwrap(), list);
        }
    }

    #[test]
    fn a_variable_can_hold_a_list() {
        let digest = "ab".repeat(32);
        let list = TokenList::parse(&format!("a read {digest}, b admin {digest} -,")).unwrap();
        let found: Vec<_> = list.entries().iter().map(|it| (it.name.as_str(), it.role)).collect();
        assert_eq!(found, [("a", Role::Read), ("b", Role::Admin)]);
    }

    #[test]
    fn a_token_has_its_role_until_it_expires() {
        let (token, other) = (NewToken::make().unwrap(), NewToken::make().unwrap());
        assert_eq!(token.secret.len(), PREFIX.len() + 64);
        let list = list(&token, Some("2027-01-01T00:00:00Z"));
        let expiry = 1_798_761_600;
        assert_eq!(list.role(token.secret.as_bytes(), expiry - 1), Some(Role::Write));
        assert_eq!(list.role(token.secret.as_bytes(), expiry), None);
        assert_eq!(list.role(other.secret.as_bytes(), 0), None);
        assert_eq!(list.role(b"", 0), None);
    }

    #[test]
    fn digests_are_the_same_only_where_every_bit_is() {
        let digest = NewToken::make().unwrap().digest;
        assert!(is_same(&digest, &digest.clone()));
        for bit in 0..256 {
            let mut other = digest;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_same(&digest, &other), "{bit}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_list_is_told_with_its_line_and_without_its_text() {
        let digest = "ab".repeat(32);
        for (text, problem) in [
            ("x", "x: the role must be read, write or admin"),
            ("x root", "x: the role must be read, write or admin"),
            ("x read abc", "x: the SHA-256 must be 64 hexadecimal digits"),
            ("x read DIGEST tomorrow", "x: the expiry must be a time like"),
            ("x read DIGEST - - more", "a token has at most NAME ROLE"),
            ("\u{1b}[2J read DIGEST", "the name must be 1 to 64 letters"),
            ("# serial x", "the serial must be a number"),
            ("a read DIGEST\na read DIGEST", "a token named `a` exists already"),
        ] {
            let text = format!("# a comment\n{}", text.replace("DIGEST", &digest));
            let error = TokenList::parse(&text).unwrap_err().to_string();
            assert!(error.contains(problem) && error.starts_with("line "), "{text}: {error}");
        }
    }
}
