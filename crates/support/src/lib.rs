//! What several of the command's crates need: waiting, events, a small HTTP client, YAML with
//! lines, digests. Nothing here knows a service, a host or a cloud.
//!
//! ```text
//! wait    deadlines, backoff and durations in words
//! event   what work says while it goes on
//! http    requests to services, with a token if nobody can listen
//! lock    the right to change a stack
//! token   a bearer token, which is never printed
//! yaml    YAML files whose problems are reported with their lines
//! digest  SHA-256 as text
//! ```

pub mod digest;
pub mod event;
pub mod http;
pub mod lock;
pub mod token;
pub mod wait;
pub mod yaml;

/// An error with its causes, of which the outer ones often say little.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
