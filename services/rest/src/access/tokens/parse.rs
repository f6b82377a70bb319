//! Parses and formats the list of access tokens: a line for each, with its name, its role, the
//! SHA-256 of the token, and when it expires.
//!
//! ```text
//! # serial 3
//! operator admin 9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab - 2026-11-25T10:00:00Z
//! ci write e8b7be43b4f5d1c9c5f8c9b1f0e6a1d3a0c6d9a5f4b3c2d1e0f9a8b7c6d5e4f3 2027-01-01T00:00:00Z
//! ```
//!
//! Fields are separated by spaces; tokens also by commas, so that an environment variable can
//! hold a list. `-` is no expiry. The last field, when the token was created, is for people and
//! may be omitted.

use std::fmt;

use jiff::Timestamp;
use store::hex;

use super::list::{Entry, TokenList, TokenListError};
use super::{MAX_NAME_LENGTH, is_name};

/// No list is changed more often.
const MAX_SERIAL: u64 = 1 << 40;

impl TokenList {
    /// Parses a list. Two tokens must not have the same name.
    pub fn parse(text: &str) -> Result<Self, TokenListError> {
        let mut list = Self::default();
        for (n, line) in text.lines().enumerate() {
            let failed = |problem: String| TokenListError { line: n + 1, problem };
            if let Some(comment) = line.trim().strip_prefix('#') {
                if let Some(serial) = comment.trim().strip_prefix("serial ") {
                    let serial = serial.trim().parse().ok().filter(|n| *n <= MAX_SERIAL);
                    list.serial =
                        serial.ok_or_else(|| failed("the serial must be a number".into()))?;
                }
                continue;
            }
            for part in line.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                let entry = parse_entry(part).map_err(failed)?;
                list.add(entry).map_err(failed)?;
            }
        }
        Ok(list)
    }
}

fn parse_entry(text: &str) -> Result<Entry, String> {
    let mut fields = text.split_ascii_whitespace();
    let mut next = || fields.next().unwrap_or_default();
    let (name, role, digest, expires, created) = (next(), next(), next(), next(), next());
    if fields.next().is_some() {
        return Err("a token has at most NAME ROLE SHA-256 EXPIRES CREATED".into());
    }
    if !is_name(name) {
        return Err(format!(
            "the name must be 1 to {MAX_NAME_LENGTH} letters, digits or any of -_.@"
        ));
    }
    let time = |text: &str, what: &str| match text {
        "" | "-" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| format!("{name}: {what} must be a time like 2027-01-01T00:00:00Z, or -")),
    };
    Ok(Entry {
        name: name.into(),
        role: role.parse().map_err(|problem| format!("{name}: {problem}"))?,
        digest: hex::read(digest)
            .ok_or_else(|| format!("{name}: the SHA-256 must be 64 hexadecimal digits"))?,
        expires: time(expires, "the expiry")?,
        created: time(created, "the creation")?,
    })
}

impl fmt::Display for TokenList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# NAME ROLE SHA-256 EXPIRES CREATED; change it with `eventpost token`")?;
        writeln!(f, "# serial {}", self.serial)?;
        for Entry { name, role, digest, expires, created } in &self.entries {
            let mut digits = [0; 64];
            hex::write(digest, &mut digits);
            let digits = String::from_utf8_lossy(&digits).into_owned();
            let time = |at: &Option<Timestamp>| at.map_or("-".into(), |at| at.to_string());
            writeln!(f, "{name} {role} {digits} {} {}", time(expires), time(created))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NewToken, Role};
    use super::*;

    #[test]
    fn a_formatted_list_parses_back() {
        let token = NewToken::generate().unwrap();
        for expires in [None, Some("2027-01-01T00:00:00Z".parse().unwrap())] {
            let mut list = TokenList { serial: 7, ..TokenList::default() };
            let (name, role) = ("ci".into(), Role::Write);
            list.add(Entry { name, role, digest: token.digest, expires, created: None }).unwrap();
            let text = list.to_string();
            assert!(!text.contains(&token.secret) && !format!("{token:?}").contains("eventpost_"));
            assert_eq!(TokenList::parse(&text).unwrap(), list);
        }
    }

    #[test]
    fn a_variable_can_hold_a_list() {
        let digest = "ab".repeat(32);
        let list = TokenList::parse(&format!("a read {digest}, b admin {digest} -,")).unwrap();
        let found: Vec<_> = list.entries().iter().map(|it| (it.name.as_str(), it.role)).collect();
        assert_eq!(found, [("a", Role::Read), ("b", Role::Admin)]);
    }

    #[test]
    fn errors_name_the_line_without_its_text() {
        let digest = "ab".repeat(32);
        for (text, problem) in [
            ("x", "x: the role must be read, write or admin"),
            ("x root", "x: the role must be read, write or admin"),
            ("x read abc", "x: the SHA-256 must be 64 hexadecimal digits"),
            ("x read DIGEST tomorrow", "x: the expiry must be a time like"),
            ("x read DIGEST - - more", "a token has at most NAME ROLE"),
            ("\u{1b}[2J read DIGEST", "the name must be 1 to 64 letters"),
            ("# serial x", "the serial must be a number"),
            ("a read DIGEST\na read DIGEST", "a token named `a` exists already"),
        ] {
            let text = format!("# a comment\n{}", text.replace("DIGEST", &digest));
            let error = TokenList::parse(&text).unwrap_err().to_string();
            assert!(error.contains(problem) && error.starts_with("line "), "{text}: {error}");
        }
    }
}
