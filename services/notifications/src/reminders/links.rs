//! The links in mails. They are signed, so nobody can make one up, and hold no address.

use form_urlencoded::parse;
use pages::{Keys, Purpose};
use store::{AddressDigest, ObjectId};

/// The path of the page that confirms a reminder.
pub(super) const CONFIRM: &str = "/confirm";
/// The path of the page that ends all mails to an address.
pub(super) const UNSUBSCRIBE: &str = "/unsubscribe";
/// The parameter with what was signed.
const PARAMETER: &str = "s";

/// Makes and reads links.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    /// Where browsers find the service.
    url: String,
    keys: Keys,
}

impl Links {
    pub(super) fn new(url: &str, keys: Keys) -> Self {
        Self { url: url.to_owned(), keys }
    }

    /// The link that confirms a reminder.
    pub(crate) fn confirm(&self, id: ObjectId) -> String {
        let signed = self.keys.sign(Purpose::Confirmation, id.bytes());
        format!("{}{CONFIRM}?{PARAMETER}={signed}", self.url)
    }

    /// The link that ends all mails to an address.
    pub(crate) fn unsubscribe(&self, address: &str) -> String {
        let digest = AddressDigest::of(address);
        let signed = self.keys.sign(Purpose::Unsubscription, digest.bytes());
        format!("{}{UNSUBSCRIBE}?{PARAMETER}={signed}", self.url)
    }

    /// The reminder that the query of a link confirms.
    pub(super) fn confirmed(&self, query: &str) -> Option<ObjectId> {
        let payload = self.payload(Purpose::Confirmation, query)?;
        payload.try_into().ok().map(ObjectId::from_bytes)
    }

    /// The address that the query of a link is about.
    pub(super) fn unsubscribed(&self, query: &str) -> Option<AddressDigest> {
        let payload = self.payload(Purpose::Unsubscription, query)?;
        payload.try_into().ok().map(AddressDigest::from_bytes)
    }

    fn payload(&self, purpose: Purpose, query: &str) -> Option<Vec<u8>> {
        let (_, signed) = parse(query.as_bytes()).find(|(name, _)| name == PARAMETER)?;
        self.keys.verify(purpose, &signed)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Links with a key of their own.
    pub(crate) fn links() -> Links {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        rest::file::replace_file(&path, 0o600, Keys::generate().unwrap()).unwrap();
        Links::new("https://n.example.org", Keys::read(&path).unwrap())
    }

    #[test]
    fn a_link_is_about_what_it_was_made_for() {
        let (links, id) = (links(), ObjectId::from_bytes([7; 12]));
        let query = |link: &str| link.split_once('?').unwrap().1.to_owned();
        let confirm = links.confirm(id);
        assert!(confirm.starts_with("https://n.example.org/confirm?s="), "{confirm}");
        assert_eq!(links.confirmed(&query(&confirm)), Some(id));
        assert_eq!(links.unsubscribed(&query(&confirm)), None);
        let end = links.unsubscribe("A@b.org");
        assert!(!end.contains("b.org"), "{end}");
        assert_eq!(links.unsubscribed(&query(&end)), Some(AddressDigest::of("a@b.org")));
        for forged in ["", "s=", "s=x.y", "t=1"] {
            assert_eq!((links.confirmed(forged), links.unsubscribed(forged)), (None, None));
        }
    }
}
