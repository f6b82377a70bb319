//! The readiness of a service, as `/readyz` reports it.

use serde::Deserialize;

/// Whether a service is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// It accepts reads and writes.
    Ready,
    /// It accepts reads, and no write is in progress.
    ReadOnly,
}

impl Readiness {
    /// The word under `status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::ReadOnly => "read-only",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readiness_is_parsed_as_it_is_written() {
        for readiness in [Readiness::Ready, Readiness::ReadOnly] {
            let text = format!("{:?}", readiness.as_str());
            assert_eq!(serde_json::from_str::<Readiness>(&text).unwrap(), readiness);
        }
    }
}
