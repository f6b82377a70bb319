//! This module owns SHA-256 as text: programs, environments and images are compared by
//! it.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The SHA-256 of some bytes in hexadecimal, 64 digits.
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
