//! Names of hosts, as certificates have them.

use std::fmt;

/// The longest name, and the longest part between two dots, that DNS knows.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// A name of a host in lower case, such as `events.example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostName(String);

impl HostName {
    /// Parses a name. The error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let failed = |why: &str| Err(format!("{text:?} is not a name of a host: {why}"));
        let name = text.trim().to_ascii_lowercase();
        if name.starts_with("*.") {
            return failed("list the names instead of a wildcard, which needs another challenge");
        }
        if !name.is_ascii() {
            return failed("write it as DNS has it, beginning with xn--");
        }
        if name.contains([':', '/']) {
            return failed("give the name alone, without scheme, port or path");
        }
        if !name.split('.').all(is_label) || name.len() > MAX_NAME {
            return failed("it has letters, digits and hyphens, with single dots between parts");
        }
        // As browsers do: what ends with a number is an address.
        if name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
            return failed("certificates are for names, not addresses");
        }
        Ok(Self(name))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !label.is_empty()
        && label.len() <= MAX_LABEL
        && label.bytes().all(inside)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_lower_case() {
        let parse = |text| HostName::parse(text).map(|name| name.to_string());
        assert_eq!(parse("Events.Example.ORG").unwrap(), "events.example.org");
        assert_eq!(parse(" xn--nxasmq6b.test").unwrap(), "xn--nxasmq6b.test");
        let long = "a".repeat(64);
        for (bad, why) in [
            ("*.example.org", "wildcard"),
            ("m\u{fc}nchen.example", "xn--"),
            ("https://a.test", "without scheme"),
            ("a.test:443", "without scheme"),
            ("[::1]", "without scheme"),
            ("192.0.2.1", "not addresses"),
            ("a..test", "single dots"),
            ("a.test.", "single dots"),
            ("", "single dots"),
            ("-a.test", "hyphens"),
            ("a_b.test", "letters"),
            (&long, "letters"),
        ] {
            let error = parse(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
