//! This module owns the documents that were read last: reading one again takes no
//! system call and no checksum.

use std::sync::{Mutex, PoisonError};

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

type Slot = Mutex<Option<(Place, Document)>>;

/// The documents that were read last, by the places they were read from. What changes
/// gets another place, so nothing in here is ever out of date.
#[derive(Debug)]
pub(crate) struct Recent {
    slots: Box<[Slot]>,
}

impl Recent {
    pub(crate) fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| Mutex::default()).collect() }
    }

    pub(crate) fn get(&self, place: Place) -> Option<Document> {
        let slot = self.slot(place).lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().filter(|(at, _)| *at == place).map(|(_, document)| document.clone())
    }

    pub(crate) fn keep(&self, place: Place, document: &Document) {
        if document.bytes.len() <= LONGEST {
            let mut slot = self.slot(place).lock().unwrap_or_else(PoisonError::into_inner);
            *slot = Some((place, document.clone()));
        }
    }

    fn slot(&self, place: Place) -> &Slot {
        // Neighbours in the file, which differ by some hundred bytes, are spread by
        // Knuth's multiplicative hash over all slots.
        let hash = place.location.offset.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        &self.slots[usize::try_from(hash >> 52).expect("twelve bits")]
    }
}

const _: () = assert!(SLOTS == 1 << 12, "a slot is chosen by twelve bits");
