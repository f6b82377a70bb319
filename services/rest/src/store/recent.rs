//! This module owns the documents that were read last: reading one again takes no
//! system call and no checksum.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Document, index::Location};

/// Slots, each for one document.
const SLOTS: usize = 4096;
/// Longer documents are not kept, so that all slots take at most 8 MiB.
const LONGEST: usize = 2048;

/// A record as nothing else ever lies at the place: files of a log are numbered, and
/// within one an offset is written once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the file: every rewrite makes another.
    pub(crate) file: u32,
    pub(crate) location: Location,
}

/// A document, and one that may take its place.
#[derive(Debug, Default)]
struct Slot {
    kept: Option<(Place, Document)>,
    /// What was read last from the file. Only what is read twice is kept: somebody who
    /// reads everything once does not drive out what others read all the time.
    candidate: Option<Place>,
}

/// The documents that were read last, by the places they were read from. What changes
/// gets another place, so nothing in here is ever out of date.
#[derive(Debug)]
pub(crate) struct Recent {
    slots: Box<[Mutex<Slot>]>,
}

impl Recent {
    pub(crate) fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| Mutex::default()).collect() }
    }

    pub(crate) fn get(&self, place: Place) -> Option<Document> {
        let kept = &self.slot(place).kept;
        kept.as_ref().filter(|(at, _)| *at == place).map(|(_, document)| document.clone())
    }

    /// Keeps a document that was read from the file, if that was not the first time.
    pub(crate) fn keep(&self, place: Place, document: &Document) {
        let mut slot = self.slot(place);
        if slot.candidate == Some(place) && document.bytes.len() <= LONGEST {
            slot.kept = Some((place, document.clone()));
        }
        slot.candidate = Some(place);
    }

    fn slot(&self, place: Place) -> MutexGuard<'_, Slot> {
        // Neighbours in the file, which differ by some hundred bytes, are spread by
        // Knuth's multiplicative hash over all slots.
        let hash = place.location.offset.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let slot = &self.slots[usize::try_from(hash >> 52).expect("twelve bits")];
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const _: () = assert!(SLOTS == 1 << 12, "a slot is chosen by twelve bits");

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: u32, offset: u64) -> Place {
        Place { file, location: Location { offset, length: 3 } }
    }

    fn document(text: &'static str) -> Document {
        bytes::Bytes::from_static(text.as_bytes()).into()
    }

    #[test]
    fn what_is_read_twice_is_kept_and_stays_beside_what_is_read_once() {
        let recent = Recent::new();
        recent.keep(place(0, 100), &document("one"));
        assert_eq!(recent.get(place(0, 100)), None);
        recent.keep(place(0, 100), &document("one"));
        assert_eq!(recent.get(place(0, 100)), Some(document("one")));
        for offset in 0..100_000 {
            recent.keep(place(0, 1000 + offset), &document("two"));
        }
        assert_eq!(recent.get(place(0, 100)), Some(document("one")));
        assert_eq!(recent.get(place(1, 100)), None, "the same place in another file");
    }
}
