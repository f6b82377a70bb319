//! Finds the notifications for an address.
//!
//! The index keeps a hash of each address, not the address: a notification takes some 70 bytes of
//! memory. A notification whose hash matches is read from the store to compare the address.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::ops::Bound;

use rest::ObjectId;
use rest::follow::{Followed, Index};
use rest::store::StoreError;
use serde::Deserialize;

/// The notifications by the hash of their address.
#[derive(Debug, Default)]
pub(crate) struct Recipients {
    /// With random keys: nobody can choose addresses with the same hash.
    hash: RandomState,
    by_hash: BTreeSet<(u64, ObjectId)>,
    hashes: HashMap<ObjectId, u64>,
}

/// The address of a stored notification.
#[derive(Deserialize)]
struct StoredAddress {
    to_mail: String,
}

impl Index for Recipients {
    fn set(&mut self, id: ObjectId, document: &[u8]) {
        self.remove(id);
        if let Ok(StoredAddress { to_mail }) = serde_json::from_slice(document) {
            let hash = self.hash_of(&to_mail);
            self.hashes.insert(id, hash);
            self.by_hash.insert((hash, id));
        }
    }

    fn remove(&mut self, id: ObjectId) {
        if let Some(hash) = self.hashes.remove(&id) {
            self.by_hash.remove(&(hash, id));
        }
    }
}

impl Recipients {
    /// The hash of an address, regardless of case.
    fn hash_of(&self, address: &str) -> u64 {
        self.hash.hash_one(address.to_ascii_lowercase())
    }

    /// The notifications that may be for an address, by ascending id, greater than `after`.
    fn candidates(&self, address: &str, after: Option<ObjectId>) -> Vec<ObjectId> {
        let hash = self.hash_of(address);
        let least = ObjectId::from_bytes([0; 12]);
        let from = after.map_or(Bound::Included((hash, least)), |id| Bound::Excluded((hash, id)));
        let of_hash = self.by_hash.range((from, Bound::Unbounded));
        of_hash.take_while(|(other, _)| *other == hash).map(|(_, id)| *id).collect()
    }
}

/// The notifications for an address for which `matches` holds, by ascending id, greater than
/// `after`, at most `limit`.
pub(crate) async fn for_address(
    recipients: &Followed<Recipients>,
    address: String,
    after: Option<ObjectId>,
    limit: usize,
    matches: impl Fn(ObjectId) -> bool,
) -> Result<Vec<ObjectId>, StoreError> {
    recipients.catch_up().await;
    let mut candidates = recipients.index().candidates(&address, after);
    candidates.retain(|id| matches(*id));
    let recipients = recipients.clone();
    rest::store::blocking(move || {
        let mut found = Vec::new();
        for id in candidates {
            if found.len() == limit {
                break;
            }
            if let Some(document) = recipients.store().read(id)?
                && let Ok(StoredAddress { to_mail }) = serde_json::from_slice(&document.bytes)
                && to_mail.eq_ignore_ascii_case(&address)
            {
                found.push(id);
            }
        }
        Ok(found)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ObjectId {
        ObjectId::from_bytes([n; 12])
    }

    #[test]
    fn current_notifications_for_an_address_are_found_regardless_of_case() {
        let mut index = Recipients::default();
        for (n, mail) in [(1, "a@b.org"), (2, "A@B.org"), (3, "c@b.org")] {
            index.set(id(n), format!(r#"{{"id": "x", "to_mail": "{mail}"}}"#).as_bytes());
        }
        assert_eq!(index.candidates("a@B.ORG", None), [id(1), id(2)]);
        assert_eq!(index.candidates("a@b.org", Some(id(1))), [id(2)]);
        index.set(id(1), br#"{"to_mail": "c@b.org"}"#);
        index.remove(id(2));
        assert_eq!(index.candidates("a@b.org", None), []);
        assert_eq!(index.candidates("c@b.org", None), [id(1), id(3)]);
    }
}
