//! Tells the crate which versions of OpenSSL and libssh2 are linked. Both are linked statically
//! (`.cargo/config.toml`), so that what is compiled against is what runs.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rustc-env=OPENSSL_VERSION={}", openssl().unwrap_or_else(unknown));
    println!("cargo::rustc-env=LIBSSH2_VERSION={}", libssh2().unwrap_or_else(unknown));
    println!("cargo::rerun-if-changed=build.rs");
}

fn unknown() -> String {
    "of an unknown version".into()
}

/// From the number that `openssl-sys` has found: 0xMNNxxPPx since version 3.
fn openssl() -> Option<String> {
    let number = env::var("DEP_OPENSSL_VERSION_NUMBER").ok()?;
    let number = u32::from_str_radix(&number, 16).ok()?;
    let (major, minor, patch) = (number >> 28, (number >> 20) & 0xff, (number >> 4) & 0xff);
    Some(format!("{major}.{minor}.{patch}"))
}

/// From the header that `libssh2-sys` has compiled against.
fn libssh2() -> Option<String> {
    let folder = env::var("DEP_SSH2_INCLUDE").ok()?;
    let header = fs::read_to_string(Path::new(&folder).join("libssh2.h")).ok()?;
    let line = header.lines().find_map(|line| line.strip_prefix("#define LIBSSH2_VERSION "))?;
    Some(line.trim().trim_matches('"').to_owned())
}
