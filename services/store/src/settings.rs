//! What a store is opened with, and how much it may hold.

use crate::{Facts, StoreError};

/// How much a store may hold. Removals are never refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all documents.
    pub max_bytes: Option<u64>,
    /// Documents.
    pub max_documents: Option<u64>,
    /// Bytes of the disk that stay free, where the store is in a file.
    pub reserve_bytes: u64,
}

/// What a store is opened with.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Which resources it holds.
    pub collection: &'static str,
    /// How much it may hold.
    pub limits: Limits,
    /// What follows from a document, for those of a backup.
    pub facts: fn(&[u8]) -> Facts,
}

/// What a store holds before a write, and what the write changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growth {
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
    /// The bytes of the document that is replaced, if there is one.
    pub(crate) old_length: Option<u64>,
    /// The bytes of the new document.
    pub(crate) length: u64,
}

impl Growth {
    /// Whether the store holds more after it.
    pub(crate) fn is_growth(&self) -> bool {
        self.old_length.is_none_or(|old| self.length > old)
    }
}

impl Limits {
    /// Whether a write is within the numbers of bytes and documents.
    pub(crate) fn allow(&self, growth: &Growth) -> Result<(), StoreError> {
        if growth.old_length.is_none()
            && let Some(limit) = self.max_documents
            && growth.documents >= limit
        {
            return Err(StoreError::TooManyDocuments { limit });
        }
        let old_length = growth.old_length.unwrap_or(0);
        let bytes = growth.bytes.saturating_sub(old_length).saturating_add(growth.length);
        match self.max_bytes {
            Some(limit) if growth.is_growth() && bytes > limit => {
                Err(StoreError::TooManyBytes { limit })
            }
            _ => Ok(()),
        }
    }
}
