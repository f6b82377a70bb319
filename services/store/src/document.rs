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
}

/// A change of one document.
#[derive(Debug, Clone)]
pub enum Write {
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

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
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
}
