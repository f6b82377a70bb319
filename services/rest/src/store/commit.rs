//! This module owns the writer thread: it takes the writes that wait, appends them
//! as one batch, makes that durable with one sync, and then answers each.

use std::collections::HashMap;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::compact;
use super::format::{self, BATCH_HEADER_LEN, Kind, MAX_PAYLOAD, RECORD_HEADER_LEN};
use super::index::Location;
use super::log::Shared;
use crate::id::ObjectId;

/// Writes that one batch takes at most.
const MAX_WRITES: usize = 4096;

/// A write that waits for its turn.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) id: ObjectId,
    pub(crate) change: Change,
    /// Takes the document that was under the id before.
    pub(crate) reply: oneshot::Sender<Result<Option<Bytes>, StoreError>>,
}

/// What a write does to its id.
#[derive(Debug)]
pub(crate) enum Change {
    /// Stores the document.
    Insert(Bytes),
    /// Stores the document where there is one already.
    Replace(Bytes),
    /// Removes the document where there is one.
    Remove,
}

impl Change {
    fn size(&self) -> usize {
        RECORD_HEADER_LEN
            + match self {
                Self::Insert(document) | Self::Replace(document) => document.len(),
                Self::Remove => 0,
            }
    }
}

/// The one that writes to the log file.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) waiting: mpsc::Receiver<Write>,
    /// Where the next batch goes.
    pub(crate) end: u64,
    /// Rewriting the file is tried when its dead bytes exceed this.
    pub(crate) dead_bytes_allowed: u64,
}

impl Writer {
    /// Works until every handle of the store is gone.
    pub(crate) fn run(mut self) {
        let mut held_over = None;
        while let Some(first) = held_over.take().or_else(|| self.waiting.blocking_recv()) {
            let (writes, next) = self.gather(first);
            held_over = next;
            self.commit(writes);
            compact::if_worthwhile(&mut self);
        }
    }

    /// Everything that waits now, up to a batch's limits; the second is a write
    /// that did not fit any more.
    fn gather(&mut self, first: Write) -> (Vec<Write>, Option<Write>) {
        let mut size = first.change.size();
        let mut writes = vec![first];
        while writes.len() < MAX_WRITES {
            let Ok(next) = self.waiting.try_recv() else { break };
            size += next.change.size();
            if size > MAX_PAYLOAD {
                return (writes, Some(next));
            }
            writes.push(next);
        }
        (writes, None)
    }

    fn commit(&mut self, writes: Vec<Write>) {
        let mut batch = Batch::new(self.end);
        let mut replies = Vec::with_capacity(writes.len());
        for Write { id, change, reply } in writes {
            replies.push((reply, batch.add(&self.shared, id, change)));
        }
        let stored = self.store(batch);
        for (reply, before) in replies {
            // A client that has gone away needs no answer.
            let _ = reply.send(stored.clone().and(before));
        }
    }

    /// Makes a batch durable and then visible, or leaves everything as it was.
    fn store(&mut self, batch: Batch) -> Result<(), StoreError> {
        if batch.records.is_empty() {
            return Ok(());
        }
        let Batch { mut bytes, records, .. } = batch;
        format::finish_batch(&mut bytes);
        self.append(&bytes)?;
        self.end += bytes.len() as u64;
        self.shared.write(|state| {
            for (kind, id, location) in records {
                state.index.apply(kind, id, location);
            }
        });
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let shared = &self.shared;
        if shared.is_stopped() {
            return Err(StoreError::Stopped { path: shared.path.clone() });
        }
        let file = shared.read(|state| Arc::clone(&state.file));
        if let Err(error) = file.write_all_at(bytes, self.end) {
            // Part of the batch may be in the file. Where it cannot be cut off, the
            // next batch would follow what looks like damage.
            if file.set_len(self.end).is_err() {
                shared.stop();
            }
            tracing::error!(file = %shared.path.display(), %error, "writing failed");
            return Err(StoreError::io(&shared.path, &error));
        }
        file.sync_data().map_err(|error| {
            // After a failed sync the kernel may call the lost pages clean: a second
            // sync would succeed and prove nothing.
            shared.stop();
            tracing::error!(file = %shared.path.display(), %error, "sync failed, writes stop");
            StoreError::io(&shared.path, &error)
        })
    }
}

/// A batch in the making.
struct Batch {
    /// Where it will lie in the file.
    start: u64,
    bytes: Vec<u8>,
    records: Vec<(Kind, ObjectId, Location)>,
    /// What this batch has done to an id so far: `None` means removed.
    latest: HashMap<ObjectId, Option<Location>>,
}

impl Batch {
    fn new(start: u64) -> Self {
        let mut bytes = Vec::new();
        format::begin_batch(&mut bytes);
        Self { start, bytes, records: Vec::new(), latest: HashMap::new() }
    }

    /// Adds a write, if it does anything, and returns the document it found.
    fn add(
        &mut self,
        shared: &Shared,
        id: ObjectId,
        change: Change,
    ) -> Result<Option<Bytes>, StoreError> {
        let before = self.find(shared, id)?;
        match (change, &before) {
            (Change::Insert(document), _) | (Change::Replace(document), Some(_)) => {
                self.push(Kind::Put, id, &document);
            }
            (Change::Remove, Some(_)) => self.push(Kind::Remove, id, &[]),
            (Change::Replace(_) | Change::Remove, None) => {}
        }
        Ok(before)
    }

    fn find(&self, shared: &Shared, id: ObjectId) -> Result<Option<Bytes>, StoreError> {
        match self.latest.get(&id) {
            None => shared.get(id),
            Some(None) => Ok(None),
            Some(Some(location)) => {
                let from = usize::try_from(location.offset - self.start)
                    .expect("a batch fits into memory")
                    + RECORD_HEADER_LEN;
                let document = &self.bytes[from..from + location.length as usize];
                Ok(Some(Bytes::copy_from_slice(document)))
            }
        }
    }

    fn push(&mut self, kind: Kind, id: ObjectId, document: &[u8]) {
        let offset = self.start + self.bytes.len() as u64;
        format::push_record(&mut self.bytes, kind, id, document);
        let length = u32::try_from(document.len()).expect("a document is far smaller than 4 GiB");
        let location = Location { offset, length };
        self.records.push((kind, id, location));
        self.latest.insert(id, (kind == Kind::Put).then_some(location));
    }
}

const _: () = assert!(BATCH_HEADER_LEN + MAX_PAYLOAD < u32::MAX as usize);
