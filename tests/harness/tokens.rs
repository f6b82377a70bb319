//! Access tokens for tests: secrets by name, and the list that a service is given.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use rest::access::tokens::{Entry, NewToken, Role, TokenList};

/// Tokens and the secrets that belong to them.
pub(crate) struct Tokens {
    list: TokenList,
    secrets: Vec<(String, String)>,
}

impl Tokens {
    /// A token for each role, with the role's name.
    pub(crate) fn of_all_roles() -> Self {
        let mut tokens = Self { list: TokenList::default(), secrets: Vec::new() };
        for role in Role::ALL {
            tokens.add(role.as_str(), role, None);
        }
        tokens
    }

    /// Makes another token.
    pub(crate) fn add(&mut self, name: &str, role: Role, expires: Option<Timestamp>) {
        let NewToken { secret, digest } = NewToken::generate().unwrap();
        let entry = Entry { name: name.into(), role, digest, expires, created: None };
        self.list.add(entry).unwrap();
        self.secrets.push((name.into(), secret));
    }

    /// Takes a token out of the list; its secret is still known here.
    pub(crate) fn revoke(&mut self, name: &str) {
        assert!(self.list.remove(name), "{name}");
    }

    /// All secrets.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|(_, secret)| secret.as_str())
    }

    /// The header that shows a token, with its line end.
    pub(crate) fn header(&self, name: &str) -> String {
        let (_, secret) = self.secrets.iter().find(|(known, _)| known == name).unwrap();
        format!("Authorization: Bearer {secret}\r\n")
    }

    /// The list on one line, as an environment variable has it.
    pub(crate) fn on_one_line(&self) -> String {
        let text = self.list.to_string();
        text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join(",")
    }

    /// Writes the list as a file that takes the place of the one before.
    pub(crate) fn write(&self, path: &Path) {
        let new = path.with_extension("new");
        fs::write(&new, self.list.to_string()).unwrap();
        fs::rename(new, path).unwrap();
    }
}
