//! Addresses that get no mails.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::hex;

/// What an address is known by where the address itself is not to be kept: the SHA-256 of it in lower
/// case, and without what follows a plus sign. Mail for both arrives in one mailbox at most providers,
/// and whoever wants no mails must not get them under other addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressDigest([u8; 32]);

/// An address that gets no mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suppression {
    /// The address.
    pub address: AddressDigest,
    /// Since when, in milliseconds since 1970.
    pub since: u64,
}

impl AddressDigest {
    /// The digest of an address.
    pub fn of(address: &str) -> Self {
        let address = address.to_ascii_lowercase();
        let mailbox = match address.split_once('@') {
            Some((local, domain)) => {
                let (base, _) = local.split_once('+').unwrap_or((local, ""));
                format!("{base}@{domain}")
            }
            None => address,
        };
        Self(Sha256::digest(mailbox).into())
    }

    /// A digest of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for AddressDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::of(&self.0))
    }
}

impl fmt::Debug for AddressDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AddressDigest({self})")
    }
}

impl FromStr for AddressDigest {
    type Err = &'static str;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex::read(text).map(Self).ok_or("must be 64 hexadecimal digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_a_mailbox_and_is_read_as_it_is_written() {
        let digest = AddressDigest::of("A@Example.org");
        assert_eq!(digest, AddressDigest::of("a+tag@example.ORG"));
        assert_ne!(digest, AddressDigest::of("a.tag@example.org"));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for bad in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
            assert!(bad.parse::<AddressDigest>().is_err(), "{bad}");
        }
    }
}
