//! The documents that are read most.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::{Cache as QuickCache, GuardResult};
use quick_cache::{OptionsBuilder, Weighter};

use crate::{Document, ObjectId};

/// Bytes of all documents in the cache.
const CAPACITY: u64 = 8 * 1024 * 1024;
/// Longer documents are not kept.
const LONGEST: usize = 4096;
/// What the cache takes for an entry besides the document.
const ENTRY: u64 = 128;

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<ObjectId, Document> for Weight {
    fn weight(&self, _: &ObjectId, document: &Document) -> u64 {
        document.bytes.len() as u64 + ENTRY
    }
}

/// The documents that are read most. The writer takes out what a commit has changed before it
/// answers, so that nothing in here is out of date.
#[derive(Debug)]
pub(super) struct Cache {
    documents: QuickCache<ObjectId, Document, Weight>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Cache {
    pub(super) fn new() -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(8192)
            .weight_capacity(CAPACITY)
            // More shards than this would keep documents out that a shard has no room for.
            .shards(16)
            .build()
            .expect("all options are given");
        let hash = quick_cache::DefaultHashBuilder::default();
        let lifecycle = quick_cache::sync::DefaultLifecycle::default();
        let documents = QuickCache::with_options(options, Weight, hash, lifecycle);
        Self { documents, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    pub(super) fn get(&self, id: ObjectId) -> Option<Document> {
        let found = self.documents.get(&id)?;
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(found)
    }

    /// The document in the cache, or what `read` returns, which is kept unless it was changed
    /// while it was read.
    pub(super) fn get_or_read<E>(
        &self,
        id: ObjectId,
        read: impl FnOnce() -> Result<Option<Document>, E>,
    ) -> Result<Option<Document>, E> {
        // The guard is there before the read begins: whoever removes the entry, which a commit
        // does after it has become visible, makes it void.
        let guard = match self.documents.get_value_or_guard(&id, Some(Duration::ZERO)) {
            GuardResult::Value(document) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return Ok(Some(document));
            }
            GuardResult::Guard(guard) => Some(guard),
            GuardResult::Timeout => None,
        };
        let found = read()?;
        self.misses.fetch_add(1, Ordering::Relaxed);
        if let (Some(guard), Some(document)) = (guard, &found)
            && document.bytes.len() <= LONGEST
        {
            let _ = guard.insert(document.clone());
        }
        Ok(found)
    }

    /// Forgets a document that has changed.
    pub(super) fn remove(&self, id: ObjectId) {
        self.documents.remove(&id);
    }

    /// Reads that the cache has answered, and those that it has not.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreError;

    #[test]
    fn what_changes_while_it_is_read_is_not_kept() {
        let (cache, id) = (Cache::new(), ObjectId::from_bytes([1; 12]));
        let document = |text: &'static str| Document::new(id, text.as_bytes());
        let stored = |text| Ok::<_, StoreError>(Some(document(text)));
        let read = cache.get_or_read(id, || {
            cache.remove(id);
            stored("old")
        });
        assert_eq!(read, stored("old"));
        assert_eq!(cache.get(id), None);
        assert_eq!(cache.get_or_read(id, || stored("new")), stored("new"));
        assert_eq!(cache.get(id), Some(document("new")));
        cache.remove(id);
        assert_eq!(cache.get(id), None);
    }

    #[test]
    fn a_failed_read_leaves_nothing_behind() {
        let (cache, id) = (Cache::new(), ObjectId::from_bytes([1; 12]));
        assert!(cache.get_or_read(id, || Err(StoreError::Interrupted)).is_err());
        assert_eq!(cache.get_or_read(id, || Ok::<_, StoreError>(None)), Ok(None));
        let found = Ok::<_, StoreError>(Some(Document::new(id, "x")));
        assert_eq!(cache.get_or_read(id, || found.clone()), found);
    }
}
