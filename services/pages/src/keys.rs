//! The keys that sign what visitors carry from one service to the other, or get by mail.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use rest::private;
use sha2::Sha256;
use store::hex;

/// Bytes of a signature.
const SIGNATURE: usize = 32;
/// Longer texts were not signed here: a reminder has some 6 KiB at most.
const MAX_TEXT: usize = 16 << 10;

/// What is signed. What was signed for one purpose is valid for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A reminder that a page offers.
    Reminder,
    /// The link that confirms a reminder.
    Confirmation,
    /// The link that ends all mails to an address.
    Unsubscription,
}

/// The keys: the first signs, and what any of them has signed is valid.
#[derive(Clone)]
pub struct Keys(Vec<[u8; 32]>);

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("the reminder key {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read it, too.
    #[error(
        "the reminder key {} can be read by other users: run `chmod 600 {}`",
        path.display(), path.display()
    )]
    Shared {
        /// The file.
        path: PathBuf,
    },
    /// It has something else than keys.
    #[error(
        "{}: line {line}: a reminder key is 64 hexadecimal digits, as `openssl rand -hex 32` \
         prints them", path.display()
    )]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// It has no key.
    #[error(
        "{} has no reminder key: add a line of 64 hexadecimal digits, as `openssl rand -hex 32` \
         prints them", path.display()
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl Keys {
    /// Reads a file: a key in each line; empty lines and those that begin with `#` are none.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let unreadable = |source| KeyError::Unreadable { path: path.into(), source };
        let (bytes, is_shared) = private::read(path).map_err(unreadable)?;
        if is_shared {
            return Err(KeyError::Shared { path: path.into() });
        }
        let keys = Self::parse(&String::from_utf8_lossy(&bytes));
        keys.map_err(|problem| match problem {
            Some(line) => KeyError::Invalid { path: path.into(), line },
            None => KeyError::Empty { path: path.into() },
        })
    }

    /// Reads the text of such a file. The error is the line that is no key; none if there is no key.
    pub fn parse(text: &str) -> Result<Self, Option<usize>> {
        let is_key = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)).filter(|(_, it)| is_key(it)) {
            keys.push(hex::read(line).ok_or(Some(number))?);
        }
        if keys.is_empty() { Err(None) } else { Ok(Self(keys)) }
    }

    /// The text of a file with a new key.
    pub fn generate() -> io::Result<String> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        Ok(format!("{}\n", hex::of(&key)))
    }

    /// Signs a payload. The text holds both, and is made of letters that any URL may have.
    pub fn sign(&self, purpose: Purpose, payload: &[u8]) -> String {
        let encode = Base64UrlUnpadded::encode_string;
        let signature = match self.0.first() {
            Some(key) => mac(key, purpose, payload).finalize().into_bytes(),
            // `read` makes none without a key.
            None => return String::new(),
        };
        format!("{}.{}", encode(payload), encode(&signature))
    }

    /// The payload of a signed text; `None` if nobody has signed it for this purpose.
    pub fn verify(&self, purpose: Purpose, text: &str) -> Option<Vec<u8>> {
        let decode = |part: &str| Base64UrlUnpadded::decode_vec(part).ok();
        let (payload, signature) = Some(text).filter(|it| it.len() <= MAX_TEXT)?.split_once('.')?;
        let (payload, signature) = (decode(payload)?, decode(signature)?);
        if signature.len() != SIGNATURE {
            return None;
        }
        let signed = |key: &[u8; 32]| mac(key, purpose, &payload).verify_slice(&signature).is_ok();
        self.0.iter().any(signed).then_some(payload)
    }
}

fn mac(key: &[u8; 32], purpose: Purpose, payload: &[u8]) -> Hmac<Sha256> {
    let purpose: &[u8] = match purpose {
        Purpose::Reminder => b"reminder\0",
        Purpose::Confirmation => b"confirmation\0",
        Purpose::Unsubscription => b"unsubscription\0",
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(purpose);
    mac.update(payload);
    mac
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn keys(text: &str) -> Result<Keys, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Keys::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_signed_is_valid_for_its_purpose_alone() {
        let keys = keys(&Keys::generate().unwrap()).unwrap();
        let signed = keys.sign(Purpose::Reminder, b"payload");
        assert_eq!(keys.verify(Purpose::Reminder, &signed).as_deref(), Some(&b"payload"[..]));
        assert_eq!(keys.verify(Purpose::Confirmation, &signed), None);
        let (payload, signature) = signed.split_once('.').unwrap();
        for forged in [
            format!("{payload}."),
            format!("{payload}.{}", &signature[..20]),
            format!("x{payload}.{signature}"),
            format!("{payload}.{signature}="),
            signature.to_owned(),
            String::new(),
            format!("{}.{signature}", "a".repeat(MAX_TEXT)),
        ] {
            assert_eq!(keys.verify(Purpose::Reminder, &forged), None, "{forged}");
        }
    }

    #[test]
    fn a_key_can_be_replaced_while_what_it_has_signed_stays_valid() {
        let (old, new) = (Keys::generate().unwrap(), Keys::generate().unwrap());
        let signed = keys(&old).unwrap().sign(Purpose::Reminder, b"x");
        let both = keys(&format!("# since today\n{new}\n{old}")).unwrap();
        assert!(both.verify(Purpose::Reminder, &signed).is_some());
        let signed = both.sign(Purpose::Reminder, b"x");
        assert!(keys(&new).unwrap().verify(Purpose::Reminder, &signed).is_some());
        assert!(keys(&old).unwrap().verify(Purpose::Reminder, &signed).is_none());
    }

    #[test]
    fn a_wrong_key_is_named_with_its_line_and_never_quoted() {
        let error = keys("# a key\nsecret").unwrap_err();
        assert!(error.contains("line 2: a reminder key is 64") && !error.contains("secret"));
        assert!(keys("\n").unwrap_err().contains("has no reminder key"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert!(matches!(Keys::read(&path), Err(KeyError::Unreadable { .. })));
        fs::write(&path, Keys::generate().unwrap()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Keys::read(&path), Err(KeyError::Shared { .. })));
    }
}
