//! Says which version this is, and what it was built from.

/// The version, the features and the libraries that are linked, for reports of problems.
pub fn details() -> String {
    let features = if cfg!(feature = "aws") { "aws" } else { "none" };
    format!(
        "eventpost {}\nfeatures: {features}\nOpenSSL {}\nlibssh2 {}\n",
        env!("CARGO_PKG_VERSION"),
        ssh::OPENSSL_VERSION,
        ssh::LIBSSH2_VERSION
    )
}
