//! Searches, and what they find.

use crate::{Document, ObjectId};

/// What is searched for. A document is found if all of it is true.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Each of these folded words begins a word of the document. A word that begins another of
    /// them adds nothing. If more than 32 are left, with those of the place, only the 32 longest
    /// count.
    pub words: Vec<String>,
    /// Each of these folded words begins a word of its place.
    pub place: Vec<String>,
    /// It has this folded topic.
    pub topic: Option<String>,
    /// It is at this time or later, in seconds since 1970 of the event's own clock.
    pub from: Option<i64>,
    /// It is at this time or earlier.
    pub to: Option<i64>,
    /// The latest first, not the earliest.
    pub latest_first: bool,
    /// Only what follows this, in the order of the answer.
    pub after: Option<Cursor>,
    /// At most so many documents.
    pub limit: usize,
}

/// A place in the order of what a search finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The document at this place.
    pub id: ObjectId,
    /// The place, as this engine knows it; with it the document need not exist any more.
    pub key: Option<i64>,
}

/// A page of what a search has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The documents.
    pub documents: Vec<Document>,
    /// Where the next page begins, if there may be one.
    pub next: Option<Cursor>,
}
