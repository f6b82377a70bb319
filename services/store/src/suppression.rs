//! Addresses that get no mails.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::hex;

/// What an address is known by where the address itself is not to be kept: its SHA-256, in lower
/// case.
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
        Self(Sha256::digest(address.to_ascii_lowercase()).into())
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
    fn a_digest_is_of_an_address_in_lower_case_and_is_read_as_it_is_written() {
        let digest = AddressDigest::of("A@Example.org");
        assert_eq!(digest, AddressDigest::of("a@example.ORG"));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for bad in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
            assert!(bad.parse::<AddressDigest>().is_err(), "{bad}");
        }
    }
}
