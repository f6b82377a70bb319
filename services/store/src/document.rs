//! Documents, how they are written, and what follows from them.

use bytes::Bytes;

use crate::{Condition, ObjectId, Tag};

/// A document and what it is recognised by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The id under which it is stored.
    pub id: ObjectId,
    /// Its bytes, as they were stored.
    pub bytes: Bytes,
    /// The tag of those bytes.
    pub tag: Tag,
}

impl Document {
    /// A document with the tag of its bytes.
    pub fn new(id: ObjectId, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let tag = Tag::of(&bytes);
        Self { id, bytes, tag }
    }

    /// The same document under another id. One that names its id names the new one.
    #[must_use]
    pub(crate) fn with_id(&self, id: ObjectId) -> Self {
        let mut bytes = self.bytes.to_vec();
        if let Some(hex) = ObjectId::place_in(&mut bytes) {
            hex.copy_from_slice(&id.hex());
        }
        Self::new(id, bytes)
    }

    /// A document that was read under an id, with the tag that it was stored with. The error is
    /// the id of one that is not what was written.
    pub(crate) fn verified(id: ObjectId, tag: Tag, bytes: &[u8]) -> Result<Self, ObjectId> {
        // A document that names its id has to be that of its row: an index with a flipped bit
        // leads to a row that is whole, but another one.
        let is_its_own = ObjectId::of_document(bytes).is_none_or(|own| own == id);
        if Tag::of(bytes) != tag || !is_its_own {
            return Err(id);
        }
        Ok(Self { id, bytes: Bytes::copy_from_slice(bytes), tag })
    }
}

/// A change of one document.
#[derive(Debug, Clone)]
pub enum Write {
    /// Stores a new document. If its id is not greater than all that were ever stored, it gets
    /// one that is: ids ascend in the order in which documents become visible, so whoever has read
    /// up to an id has missed nothing.
    Create {
        /// The document.
        document: Document,
        /// What follows from it.
        facts: Facts,
    },
    /// Stores a document, in place of what there is under its id.
    Insert {
        /// The document.
        document: Document,
        /// What follows from it.
        facts: Facts,
    },
    /// Replaces a document if there is one for which the condition holds.
    Replace {
        /// The new document.
        document: Document,
        /// What follows from it.
        facts: Facts,
        /// What must be true of the one that is there.
        condition: Condition,
    },
    /// Removes a document if there is one for which the condition holds.
    Remove {
        /// Its id.
        id: ObjectId,
        /// What must be true of it.
        condition: Condition,
    },
}

impl Write {
    /// The id of a document that may exist.
    pub(crate) fn id(&self) -> Option<ObjectId> {
        match self {
            Self::Create { .. } => None,
            Self::Insert { document, .. } | Self::Replace { document, .. } => Some(document.id),
            Self::Remove { id, .. } => Some(*id),
        }
    }

    /// The id of the document that is to be removed.
    pub(crate) fn removed(&self) -> Option<ObjectId> {
        match self {
            Self::Remove { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The bytes of the document that it brings.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Create { document, .. }
            | Self::Insert { document, .. }
            | Self::Replace { document, .. } => document.bytes.len(),
            Self::Remove { .. } => 0,
        }
    }
}

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It has stored this new document.
    Created(Document),
    /// It was done, and removed this document. Only removals return one.
    Done(Option<Document>),
    /// There is no such document.
    NotFound,
    /// The condition does not hold for the document that is there.
    ConditionFailed,
}

/// What follows from a document. It is written in the document's transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What finds it, if it can be searched for.
    pub search: Option<SearchFacts>,
    /// The mail that it asks for.
    pub delivery: Option<Schedule>,
    /// When it is removed unless it has been replaced, in milliseconds since 1970.
    pub remove_at: Option<u64>,
}

/// What a search finds a document by. Words and topics are folded (see [`crate::words`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchFacts {
    /// When the event is, in seconds since 1970 of the event's own clock.
    pub at: i64,
    /// The words of all its texts.
    pub words: Vec<String>,
    /// The words of its place.
    pub place: Vec<String>,
    /// Its topics.
    pub topics: Vec<String>,
}

/// A mail that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The address, in lower case.
    pub recipient: String,
    /// When it is due, in milliseconds since 1970.
    pub due: u64,
    /// Whether it is another mail than the document asked for before: then it is sent although that
    /// was.
    pub is_other_mail: bool,
}
