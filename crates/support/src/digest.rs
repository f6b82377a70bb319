//! Computes SHA-256 as text, by which programs, environments and images are compared.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The SHA-256 of some bytes in hexadecimal, 64 digits.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
