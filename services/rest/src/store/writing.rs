//! This module owns writing documents in bulk: a new log file or a copy, in batches as
//! the format has them.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::format::{self, BATCH_HEADER_LEN, Kind};
use super::index::{Location, Snapshot};
use super::{StoreError, read};
use crate::id::ObjectId;

/// The payload at which a batch is closed.
const BATCH_BYTES: usize = 1 << 20;
/// What is read of a log at a time.
const CHUNK_BYTES: u64 = 256 << 10;

/// A failure while documents are copied from a log.
#[derive(Debug)]
pub(crate) enum BulkError {
    /// Of the log.
    Log(StoreError),
    /// Of what they are written to.
    Write(io::Error),
}

impl From<StoreError> for BulkError {
    fn from(error: StoreError) -> Self {
        Self::Log(error)
    }
}

impl From<io::Error> for BulkError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// Writes records one after another.
#[derive(Debug)]
pub(crate) struct BulkWriter<W> {
    out: W,
    /// Where the current batch begins.
    start: u64,
    batch: Vec<u8>,
}

impl<W: Write> BulkWriter<W> {
    /// Begins with the file's header.
    pub(crate) fn new(mut out: W, header: &[u8]) -> io::Result<Self> {
        out.write_all(header)?;
        let batch = Vec::with_capacity(BATCH_BYTES * 2);
        Ok(Self { out, start: header.len() as u64, batch })
    }

    /// Appends the documents of a snapshot of the log at `path`. `note` is told where
    /// each lies, and may end the work.
    pub(crate) fn push_all(
        &mut self,
        log: &File,
        path: &Path,
        mut snapshot: Snapshot,
        mut note: impl FnMut(ObjectId, Location) -> Result<(), StoreError>,
    ) -> Result<(), BulkError> {
        loop {
            let entries = snapshot.take(CHUNK_BYTES);
            if entries.is_empty() {
                return Ok(());
            }
            let documents = read::documents(log, path, &entries)?;
            for (entry, document) in entries.iter().zip(&documents) {
                let location = self.push(Kind::Put, entry.id, document)?;
                note(entry.id, location)?;
            }
        }
    }

    /// Appends a record and says where it lies.
    pub(crate) fn push(
        &mut self,
        kind: Kind,
        id: ObjectId,
        document: &[u8],
    ) -> io::Result<Location> {
        if self.batch.is_empty() {
            format::begin_batch(&mut self.batch);
        }
        let offset = self.start + self.batch.len() as u64;
        format::push_record(&mut self.batch, kind, id, document);
        let length = u32::try_from(document.len()).expect("a document is far smaller than 4 GiB");
        if self.batch.len() >= BATCH_BYTES {
            self.close_batch()?;
        }
        Ok(Location { offset, length })
    }

    /// Closes the batch, so that what follows is in another.
    pub(crate) fn close_batch(&mut self) -> io::Result<()> {
        if self.batch.len() > BATCH_HEADER_LEN {
            format::finish_batch(&mut self.batch);
            self.out.write_all(&self.batch)?;
            self.start += self.batch.len() as u64;
        }
        self.batch.clear();
        Ok(())
    }

    /// Closes the last batch; returns the end of the file.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.close_batch()?;
        self.out.flush()?;
        Ok(self.start)
    }
}
