//! Pages and lists of documents, and the states that they show.

use std::fmt;

use crate::{Document, ObjectId, StoreError, Tag};

/// Which documents of all, by ascending id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    /// Only those with greater ids.
    pub after: Option<ObjectId>,
    /// At most so many.
    pub limit: Option<usize>,
}

impl Page {
    /// Every document.
    pub const ALL: Self = Self { after: None, limit: None };
}

/// Documents of one state of a store, to be read in chunks.
pub struct Listing {
    /// How many documents it is, if that is known before they are read: for all documents, and
    /// for a page with a limit.
    pub count: Option<u64>,
    /// The bytes of all of them, if known.
    pub bytes: Option<u64>,
    /// The id of the last one, if more documents follow it.
    pub next_after: Option<ObjectId>,
    /// The state that it shows.
    pub revision: Revision,
    /// The documents.
    pub chunks: Chunks,
}

/// The documents of a [`Listing`]: each chunk has at most 64 KiB of documents, or one that is
/// longer. `next` may wait for the disk, so it belongs on a thread that may block.
pub type Chunks = Box<dyn Iterator<Item = Result<Vec<Document>, StoreError>> + Send>;

/// Bytes of documents in a chunk.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Documents that were read, in chunks.
pub(crate) fn in_chunks(documents: Vec<Document>) -> Chunks {
    let mut documents = documents.into_iter().peekable();
    Box::new(std::iter::from_fn(move || {
        let mut chunk = vec![documents.next()?];
        let mut bytes = chunk[0].bytes.len();
        while let Some(next) = documents.next_if(|next| bytes + next.bytes.len() <= CHUNK) {
            bytes += next.bytes.len();
            chunk.push(next);
        }
        Some(Ok(chunk))
    }))
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing")
            .field("count", &self.count)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// A state of a store: each commit makes a greater one, and each start another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision {
    /// Of this start of the store, at random.
    pub(crate) epoch: u64,
    /// Commits so far.
    pub(crate) commits: u64,
}

impl Revision {
    /// The revision after `commits` commits in the epoch of one start.
    pub const fn new(epoch: u64, commits: u64) -> Self {
        Self { epoch, commits }
    }

    /// Whether this state is that one or a later one. States of different epochs follow
    /// each other in no order that is known.
    pub const fn is_at_least(self, other: Self) -> bool {
        self.epoch == other.epoch && self.commits >= other.commits
    }

    /// What a list of this state is recognised by.
    pub fn tag(self) -> Tag {
        Tag(self.epoch.wrapping_add(self.commits))
    }
}
