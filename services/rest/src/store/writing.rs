//! This module owns writing documents in bulk: a new log file or a copy, in batches as
//! the format has them.

use std::io::{self, Write};

use super::format::{self, BATCH_HEADER_LEN, Kind};
use super::index::{Index, Location};
use crate::id::ObjectId;

/// The payload at which a batch is closed.
const BATCH_BYTES: usize = 1 << 20;

/// Writes records one after another.
#[derive(Debug)]
pub(crate) struct BulkWriter<W> {
    out: W,
    /// Where the current batch begins.
    start: u64,
    batch: Vec<u8>,
    index: Index,
}

impl<W: Write> BulkWriter<W> {
    /// Begins with the file's header.
    pub(crate) fn new(mut out: W, header: &[u8]) -> io::Result<Self> {
        out.write_all(header)?;
        let batch = Vec::with_capacity(BATCH_BYTES * 2);
        Ok(Self { out, start: header.len() as u64, batch, index: Index::default() })
    }

    /// Appends a record and notes where it lies.
    pub(crate) fn push(&mut self, kind: Kind, id: ObjectId, document: &[u8]) -> io::Result<()> {
        if self.batch.is_empty() {
            format::begin_batch(&mut self.batch);
        }
        let offset = self.start + self.batch.len() as u64;
        format::push_record(&mut self.batch, kind, id, document);
        let length = u32::try_from(document.len()).expect("a document is far smaller than 4 GiB");
        self.index.apply(kind, id, Location { offset, length });
        if self.batch.len() >= BATCH_BYTES { self.close_batch() } else { Ok(()) }
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

    /// Closes the last batch; returns where everything lies and the end of the file.
    pub(crate) fn finish(mut self) -> io::Result<(W, Index, u64)> {
        self.close_batch()?;
        Ok((self.out, self.index, self.start))
    }
}
