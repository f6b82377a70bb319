//! This module owns the map from ids to places in the log file, and the account of
//! how much of the file is still of use.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;

use super::StoreError;
use super::format::{self, Kind, RECORD_HEADER_LEN};
use crate::id::ObjectId;

/// Where a record lies: its offset in the file and its document's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

impl Location {
    /// The bytes that the record takes in the file.
    pub(crate) fn size(self) -> u64 {
        RECORD_HEADER_LEN as u64 + u64::from(self.length)
    }

    /// Reads the document and verifies it.
    pub(crate) fn read(self, file: &File, path: &Path) -> Result<Bytes, StoreError> {
        let damaged = || StoreError::Damaged { path: path.into(), offset: self.offset };
        let mut bytes = vec![0; RECORD_HEADER_LEN + self.length as usize];
        file.read_exact_at(&mut bytes, self.offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(),
            _ => StoreError::io(path, &error),
        })?;
        let record = format::read_record(&bytes).ok_or_else(damaged)?;
        if record.document.len() != self.length as usize {
            return Err(damaged());
        }
        Ok(Bytes::from(bytes).slice(RECORD_HEADER_LEN..))
    }
}

/// The live records of a log.
#[derive(Debug, Default, Clone)]
pub(crate) struct Index {
    live: BTreeMap<ObjectId, Location>,
    live_bytes: u64,
}

impl Index {
    pub(crate) fn get(&self, id: ObjectId) -> Option<Location> {
        self.live.get(&id).copied()
    }

    /// The live records by ascending id.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (ObjectId, Location)> {
        self.live.iter().map(|(id, location)| (*id, *location))
    }

    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    /// The bytes that the live records take in the file.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Takes over what a record at `location` did.
    pub(crate) fn apply(&mut self, kind: Kind, id: ObjectId, location: Location) {
        let before = match kind {
            Kind::Put => {
                self.live_bytes += location.size();
                self.live.insert(id, location)
            }
            Kind::Remove => self.live.remove(&id),
        };
        self.live_bytes -= before.map_or(0, Location::size);
    }
}
