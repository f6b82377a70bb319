//! The files of a stack's tokens, and of the key that signs its reminders. They lie beside the key
//! that logs in to its hosts: removing local data must not lock anybody out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pages::Keys;
use rest::access::tokens::{Entry, NewToken, PREFIX, Role, TokenList, digest, is_name, is_token};
use rest::file::replace_file;
use rest::private;

use super::reconcile::digest_of;
use super::{AccessError, Token};

/// How many lists of failed deploys are remembered since the last deploy to all hosts.
const MAX_KNOWN: usize = 16;

/// The name of a stack's first token.
pub const OPERATOR: &str = "operator";

/// The tokens of a stack.
#[derive(Debug, Clone)]
pub struct Keyring {
    list: PathBuf,
    own: PathBuf,
    deployed: PathBuf,
    reminders: PathBuf,
}

impl Keyring {
    /// Those of the stack whose hosts a key logs in to.
    pub fn beside(key: &Path) -> Self {
        // A stack's name has no dot: these are the files of no other stack.
        let file = |ending: &str| {
            let mut path = key.as_os_str().to_owned();
            path.push(ending);
            PathBuf::from(path)
        };
        Self {
            list: file(".tokens"),
            own: file(".token"),
            deployed: file(".tokens-deployed"),
            reminders: file(".reminders"),
        }
    }

    /// The file of the list.
    pub fn path(&self) -> &Path {
        &self.list
    }

    /// The file of this user's own token.
    pub fn own_path(&self) -> &Path {
        &self.own
    }

    /// The file of the key that signs reminders.
    pub fn reminder_key_path(&self) -> &Path {
        &self.reminders
    }

    /// The keys for reminders, if there are any.
    pub fn reminder_key(&self) -> Result<Option<String>, AccessError> {
        read(&self.reminders)
    }

    /// Creates the key that signs reminders if there is none. Returns whether there was none.
    pub fn ensure_reminder_key(&self) -> Result<bool, AccessError> {
        if self.reminders.exists() {
            return Ok(false);
        }
        self.save_reminder_key(&Keys::generate().map_err(AccessError::NoRandomness)?)?;
        Ok(true)
    }

    /// Writes the key that signs reminders.
    pub fn save_reminder_key(&self, key: &str) -> Result<(), AccessError> {
        write(&self.reminders, key)
    }

    /// The list, if there is one.
    pub fn list(&self) -> Result<Option<TokenList>, AccessError> {
        let Some(text) = read(&self.list)? else { return Ok(None) };
        let origin = || self.list.display().to_string();
        let list = TokenList::parse(&text);
        list.map(Some).map_err(|source| AccessError::Invalid { origin: origin(), source })
    }

    /// Writes the list.
    pub fn save(&self, list: &TokenList) -> Result<(), AccessError> {
        write(&self.list, &list.to_string())
    }

    /// This user's own token, if there is one.
    pub fn own(&self) -> Result<Option<Token>, AccessError> {
        if self.own.exists() { Ok(Some(Token::read(&self.own)?)) } else { Ok(None) }
    }

    /// The digests of the lists that hosts may have from here.
    pub fn known(&self) -> Result<Vec<String>, AccessError> {
        let text = read(&self.deployed)?.unwrap_or_default();
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Records that hosts are about to get a list.
    pub fn will_deploy(&self, list: &TokenList) -> Result<(), AccessError> {
        let mut known = self.known()?;
        known.push(digest_of(list));
        known.dedup();
        let first = known.len().saturating_sub(MAX_KNOWN);
        write(&self.deployed, &(known[first..].join("\n") + "\n"))
    }

    /// Records that all hosts have a list.
    pub fn set_deployed(&self, list: &TokenList) -> Result<(), AccessError> {
        write(&self.deployed, &(digest_of(list) + "\n"))
    }

    /// Creates a token, which becomes valid when the returned list is saved. Print the token
    /// before: nobody would notice a valid token that nobody has seen.
    pub fn create(
        &self,
        name: &str,
        role: Role,
        expires: Option<Timestamp>,
    ) -> Result<(Token, TokenList), AccessError> {
        let NewToken { secret, digest } =
            NewToken::generate().map_err(AccessError::NoRandomness)?;
        Ok((Token::created(&secret), self.with(name, role, digest, expires)?))
    }

    /// Adds an existing token to the list, with the role admin.
    pub fn adopt(&self, name: &str, token: &Token) -> Result<(), AccessError> {
        if !is_token(token.secret()) {
            return Err(AccessError::Weak);
        }
        self.save(&self.with(name, Role::Admin, digest(token.secret()), None)?)
    }

    /// The list with another token.
    fn with(
        &self,
        name: &str,
        role: Role,
        digest: [u8; 32],
        expires: Option<Timestamp>,
    ) -> Result<TokenList, AccessError> {
        let mut list = self.list()?.unwrap_or_default();
        let created = Timestamp::from_second(Timestamp::now().as_second()).ok();
        let entry = Entry { name: name.into(), role, digest, expires, created };
        let not_added = |problem| AccessError::NotAdded { path: self.list.clone(), problem };
        list.add(entry).map_err(not_added)?;
        list.serial += 1;
        Ok(list)
    }

    /// Removes a token from the list.
    pub fn revoke(&self, name: &str) -> Result<(), AccessError> {
        let mut list = self.list()?.unwrap_or_default();
        if !is_name(name) || name.starts_with(PREFIX) {
            return Err(AccessError::NotAName);
        }
        if !list.remove(name) {
            return Err(AccessError::Unknown { path: self.list.clone(), name: name.into() });
        }
        list.serial += 1;
        self.save(&list)
    }

    /// Creates this user's own token, with the role admin, and returns its name.
    pub fn create_own(&self) -> Result<String, AccessError> {
        let list = self.list()?.unwrap_or_default();
        let is_free = |name: &String| list.entries().iter().all(|entry| entry.name != *name);
        let numbered = (2..).map(|n| format!("{OPERATOR}-{n}"));
        let mut names = std::iter::once(OPERATOR.to_owned()).chain(numbered);
        // A list is finite, so one of the names is free.
        let name = names.find(is_free).unwrap_or_default();
        let (token, list) = self.create(&name, Role::Admin, None)?;
        write(&self.own, &format!("{}\n", token.secret()))?;
        self.save(&list)?;
        Ok(name)
    }
}

fn read(path: &Path) -> Result<Option<String>, AccessError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AccessError::Unreadable { path: path.into(), source }),
    }
}

/// Replaces a file by one that only this user can read.
fn write(path: &Path, text: &str) -> Result<(), AccessError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = private::create_dir_all(folder).and_then(|()| replace_file(path, 0o600, text));
    written.map_err(|source| AccessError::Unwritable { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    fn keyring(dir: &Path) -> Keyring {
        Keyring::beside(&dir.join("keys/s"))
    }

    fn create(keyring: &Keyring, name: &str) -> Result<(), AccessError> {
        keyring.save(&keyring.create(name, Role::Read, None)?.1)
    }

    #[test]
    fn only_a_token_that_cannot_be_guessed_becomes_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let keyring = keyring(dir.path());
        for weak in ["x", "eventpost_x", &format!("eventpost_{}g", "0".repeat(63))] {
            let refused = keyring.adopt(OPERATOR, &Token::new(weak).unwrap());
            assert!(matches!(refused, Err(AccessError::Weak)), "{weak}");
        }
        let strong = Token::new(&format!("eventpost_{}", "0f".repeat(32))).unwrap();
        keyring.adopt(OPERATOR, &strong).unwrap();
    }

    #[test]
    fn an_own_token_gets_a_free_name_and_can_be_read_by_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let keyring = keyring(dir.path());
        assert_eq!(keyring.create_own().unwrap(), "operator");
        let first = keyring.own().unwrap().unwrap();
        assert_eq!(keyring.create_own().unwrap(), "operator-2");
        keyring.revoke("operator").unwrap();
        assert_eq!(keyring.create_own().unwrap(), "operator");
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
        create(&keyring, "ci").unwrap();
        let error = create(&keyring, "ci").unwrap_err().to_string();
        assert!(error.contains("a token named `ci` exists already"), "{error}");
        let error = keyring.revoke("cd").unwrap_err().to_string();
        assert!(error.contains("has no token named `cd`"), "{error}");
        assert_eq!(keyring.list().unwrap().unwrap().entries().len(), 1);
    }
}
