//! The files of a stack's tokens. They lie beside the key that logs in to its hosts:
//! removing local data must not lock anybody out.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rest::access::tokens::{Entry, NewToken, Role, TokenList, digest};
use rest::private;

use super::{AccessError, Token};
use crate::local::StackFolder;

/// The name of a stack's first token.
pub const OPERATOR: &str = "operator";

/// The tokens of a stack.
#[derive(Debug, Clone)]
pub struct Keyring {
    list: PathBuf,
    own: PathBuf,
    deployed: PathBuf,
}

impl Keyring {
    /// Those of the stack that a folder is of.
    pub fn new(stack: &StackFolder) -> Self {
        // A stack's name has no dot: these are the files of no other stack.
        let file = |ending: &str| {
            let mut path = stack.key().into_os_string();
            path.push(ending);
            PathBuf::from(path)
        };
        Self { list: file(".tokens"), own: file(".token"), deployed: file(".tokens-serial") }
    }

    /// The file of the list.
    pub fn path(&self) -> &Path {
        &self.list
    }

    /// The file of this user's own token.
    pub fn own_path(&self) -> &Path {
        &self.own
    }

    /// The list, if there is one.
    pub fn list(&self) -> Result<Option<TokenList>, AccessError> {
        let Some(text) = read(&self.list)? else { return Ok(None) };
        let origin = || self.list.display().to_string();
        let list = TokenList::parse(&text);
        list.map(Some).map_err(|source| AccessError::Invalid { origin: origin(), source })
    }

    /// Keeps a list.
    pub fn save(&self, list: &TokenList) -> Result<(), AccessError> {
        write(&self.list, &list.to_string())
    }

    /// This user's own token, if there is one.
    pub fn own(&self) -> Result<Option<Token>, AccessError> {
        if self.own.exists() { Token::read(&self.own).map(Some) } else { Ok(None) }
    }

    /// The serial of the list that the hosts got from here, or this machine from them, last.
    pub fn deployed(&self) -> Result<u64, AccessError> {
        Ok(read(&self.deployed)?.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
    }

    /// Notes that the hosts have a list.
    pub fn set_deployed(&self, list: &TokenList) -> Result<(), AccessError> {
        write(&self.deployed, &format!("{}\n", list.serial))
    }

    /// Makes a token and adds it to the list.
    pub fn create(
        &self,
        name: &str,
        role: Role,
        expires: Option<Timestamp>,
    ) -> Result<Token, AccessError> {
        let NewToken { secret, digest } = NewToken::make().map_err(AccessError::Unmakable)?;
        self.add(name, role, digest, expires)?;
        Ok(Token::made(&secret))
    }

    /// Adds a token that there is already to the list, with all rights.
    pub fn adopt(&self, name: &str, token: &Token) -> Result<(), AccessError> {
        self.add(name, Role::Admin, digest(token.secret()), None)
    }

    fn add(
        &self,
        name: &str,
        role: Role,
        digest: [u8; 32],
        expires: Option<Timestamp>,
    ) -> Result<(), AccessError> {
        let mut list = self.list()?.unwrap_or_default();
        let created = Timestamp::from_second(Timestamp::now().as_second()).ok();
        let entry = Entry { name: name.into(), role, digest, expires, created };
        let not_added = |problem| AccessError::NotAdded { path: self.list.clone(), problem };
        list.add(entry).map_err(not_added)?;
        list.serial += 1;
        self.save(&list)
    }

    /// Removes a token from the list.
    pub fn revoke(&self, name: &str) -> Result<(), AccessError> {
        let mut list = self.list()?.unwrap_or_default();
        if !list.remove(name) {
            return Err(AccessError::Unknown { path: self.list.clone(), name: name.into() });
        }
        list.serial += 1;
        self.save(&list)
    }

    /// Makes this user's own token, with all rights, where there is none yet or it is not in
    /// the list any more. Returns its name if one was made.
    pub fn ensure_own(&self) -> Result<Option<String>, AccessError> {
        let list = self.list()?.unwrap_or_default();
        let own = self.own()?;
        if own.is_some_and(|own| list.find(own.secret().as_bytes()).is_some()) {
            return Ok(None);
        }
        let is_free = |name: &String| list.entries().iter().all(|entry| entry.name != *name);
        let numbered = (2..).map(|n| format!("{OPERATOR}-{n}"));
        let mut names = std::iter::once(OPERATOR.to_owned()).chain(numbered);
        // One of them is free: a list has an end.
        let name = names.find(is_free).unwrap_or_default();
        let token = self.create(&name, Role::Admin, None)?;
        write(&self.own, &format!("{}\n", token.secret()))?;
        Ok(Some(name))
    }
}

fn read(path: &Path) -> Result<Option<String>, AccessError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AccessError::Unreadable { path: path.into(), source }),
    }
}

/// Replaces a file by a whole one that only this user can read.
fn write(path: &Path, text: &str) -> Result<(), AccessError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = private::create_dir_all(folder).and_then(|()| {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    });
    written.map_err(|source| AccessError::Unwritable { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::Name;

    fn keyring(dir: &Path) -> Keyring {
        let stack = StackFolder::new(Some(dir), &Name::new("s").unwrap()).unwrap();
        Keyring::new(&stack)
    }

    #[test]
    fn an_own_token_is_made_once_and_again_when_it_was_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let keyring = keyring(dir.path());
        assert_eq!(keyring.ensure_own().unwrap().as_deref(), Some("operator"));
        let first = keyring.own().unwrap().unwrap();
        assert_eq!(keyring.ensure_own().unwrap(), None);
        keyring.create("operator-2", Role::Read, None).unwrap();
        keyring.revoke("operator").unwrap();
        assert_eq!(keyring.ensure_own().unwrap().as_deref(), Some("operator"));
        assert_ne!(keyring.own().unwrap().unwrap(), first);
        assert_eq!(keyring.list().unwrap().unwrap().serial, 4);
        for file in [keyring.path(), keyring.own_path()] {
            let mode = fs::metadata(file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        }
    }

    #[test]
    fn names_are_unique_and_must_exist() {
        let dir = tempfile::tempdir().unwrap();
        let keyring = keyring(dir.path());
        keyring.create("ci", Role::Write, None).unwrap();
        let error = keyring.create("ci", Role::Read, None).unwrap_err().to_string();
        assert!(error.contains("there is a token `ci` already"), "{error}");
        let error = keyring.revoke("cd").unwrap_err().to_string();
        assert!(error.contains("has no token `cd`"), "{error}");
        assert_eq!(keyring.list().unwrap().unwrap().entries().len(), 1);
    }
}
