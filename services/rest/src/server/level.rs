//! How much memory a connection holds.

/// How much a connection holds at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Between two requests.
    Idle,
    /// While a request arrives or is answered.
    Active,
    /// With a long head, an answer that the client does not read, or many requests at the same time.
    Heavy,
}
