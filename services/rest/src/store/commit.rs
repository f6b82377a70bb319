//! This module owns the writer thread: it takes the writes that wait, appends them
//! as one batch, makes that durable with one sync, and then answers each.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::compact::{Rewriting, Rewritten};
use super::condition::Condition;
use super::format::{self, BATCH_HEADER_LEN, Kind, MAX_PAYLOAD, RECORD_HEADER_LEN};
use super::index::Location;
use super::log::Shared;
use super::metrics::Counters;
use super::{Document, Outcome, StoreError};
use crate::id::ObjectId;

/// Writes that one batch takes at most.
const MAX_WRITES: usize = 4096;

/// What the writer is told.
#[derive(Debug)]
pub(crate) enum Message {
    Write(Write),
    /// A rewrite is done but for what has been written since.
    Rewritten(Box<Result<Rewritten, StoreError>>),
}

/// What became of a write; a removal, or a condition, takes the document that was
/// there before.
pub(crate) type Written = Result<Outcome<Option<Document>>, StoreError>;

/// A write that waits for its turn.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) id: ObjectId,
    pub(crate) change: Change,
    pub(crate) reply: oneshot::Sender<Written>,
}

/// What a write does to its id.
#[derive(Debug)]
pub(crate) enum Change {
    /// Stores the document.
    Insert(Bytes),
    /// Stores the document where there is one already for which the condition holds.
    Replace(Bytes, Condition),
    /// Removes the document where there is one for which the condition holds.
    Remove(Condition),
}

impl Change {
    fn size(&self) -> usize {
        RECORD_HEADER_LEN
            + match self {
                Self::Insert(document) | Self::Replace(document, _) => document.len(),
                Self::Remove(_) => 0,
            }
    }
}

/// The one that writes to the log file.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) waiting: mpsc::Receiver<Message>,
    pub(crate) rewriting: Rewriting,
    /// A message that came while a batch was gathered and did not belong to it.
    pub(crate) held_over: Option<Message>,
}

impl Writer {
    /// Works until every handle of the store is gone.
    pub(crate) fn run(mut self) {
        while let Some(message) = self.next() {
            match message {
                Message::Write(first) => {
                    let writes = self.gather(first);
                    self.commit(writes);
                    self.rewriting.begin_if_worthwhile(&self.shared);
                }
                Message::Rewritten(result) => self.rewriting.finish(&self.shared, *result),
            }
        }
        self.rewriting.abandon(&self.shared);
    }

    fn next(&mut self) -> Option<Message> {
        self.held_over.take().or_else(|| self.waiting.blocking_recv())
    }

    /// Every write that waits now, up to a batch's limits.
    fn gather(&mut self, first: Write) -> Vec<Write> {
        let mut size = first.change.size();
        let mut writes = vec![first];
        while writes.len() < MAX_WRITES {
            match self.waiting.try_recv() {
                Ok(Message::Write(next)) if size + next.change.size() <= MAX_PAYLOAD => {
                    size += next.change.size();
                    writes.push(next);
                }
                Ok(other) => {
                    self.held_over = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        writes
    }

    fn commit(&mut self, writes: Vec<Write>) {
        let mut batch = Batch::new(self.shared.read(|state| state.end));
        let mut replies = Vec::with_capacity(writes.len());
        for Write { id, change, reply } in writes {
            replies.push((reply, batch.add(&self.shared, id, change)));
        }
        let stored = store(&self.shared, batch);
        if stored.is_err() {
            Counters::count(&self.shared.counters.failed);
        }
        for (reply, outcome) in replies {
            // A client that has gone away needs no answer.
            let _ = reply.send(stored.clone().and(outcome));
        }
    }
}

/// Makes a batch durable and then visible, or leaves everything as it was.
fn store(shared: &Shared, batch: Batch) -> Result<(), StoreError> {
    if batch.records.is_empty() {
        return Ok(());
    }
    let Batch { start, mut bytes, records, .. } = batch;
    format::finish_batch(&mut bytes);
    append(shared, start, &bytes)?;
    shared.counters.batch.record(records.len() as u64);
    shared.write(|state| {
        state.end = start + bytes.len() as u64;
        state.commits += 1;
        for (kind, id, location) in records {
            state.index.apply(kind, id, location);
        }
    });
    Ok(())
}

fn append(shared: &Shared, end: u64, bytes: &[u8]) -> Result<(), StoreError> {
    if shared.is_stopped() {
        return Err(StoreError::Stopped { path: shared.path.clone() });
    }
    let file = shared.read(|state| Arc::clone(&state.file));
    if let Err(error) = file.write_all_at(bytes, end) {
        // Part of the batch may be in the file. Where it cannot be cut off, the
        // next batch would follow what looks like damage.
        if file.set_len(end).is_err() {
            shared.stop();
        }
        tracing::error!(file = %shared.path.display(), %error, "writing failed");
        return Err(StoreError::io(&shared.path, &error));
    }
    let begin = Instant::now();
    let synced = file.sync_data();
    shared.counters.sync.record_time(begin.elapsed());
    synced.map_err(|error| {
        // After a failed sync the kernel may call the lost pages clean: a second
        // sync would succeed and prove nothing.
        shared.stop();
        tracing::error!(file = %shared.path.display(), %error, "sync failed, writes stop");
        StoreError::io(&shared.path, &error)
    })
}

/// A batch in the making.
struct Batch {
    /// Where it will lie in the file.
    start: u64,
    bytes: Vec<u8>,
    records: Vec<(Kind, ObjectId, Location)>,
    /// What this batch has done to an id so far: `None` means removed.
    latest: HashMap<ObjectId, Option<Location>, BuildHasherDefault<IdHasher>>,
}

impl Batch {
    fn new(start: u64) -> Self {
        let mut bytes = Vec::new();
        format::begin_batch(&mut bytes);
        Self { start, bytes, records: Vec::new(), latest: HashMap::default() }
    }

    /// Adds a write if it is to be done.
    fn add(&mut self, shared: &Shared, id: ObjectId, change: Change) -> Written {
        match change {
            Change::Insert(document) => self.push(Kind::Put, id, &document),
            // Whether there is one, the index knows: nothing needs to be read.
            Change::Replace(document, condition) if condition.is_always_true() => {
                if !self.contains(shared, id) {
                    return Ok(Outcome::NotFound);
                }
                self.push(Kind::Put, id, &document);
            }
            Change::Replace(document, condition) => match self.find(shared, id)? {
                None => return Ok(Outcome::NotFound),
                Some(before) if !condition.holds(before.tag) => {
                    return Ok(Outcome::ConditionFailed);
                }
                Some(_) => self.push(Kind::Put, id, &document),
            },
            Change::Remove(condition) => match self.find(shared, id)? {
                None => return Ok(Outcome::NotFound),
                Some(before) if !condition.holds(before.tag) => {
                    return Ok(Outcome::ConditionFailed);
                }
                Some(before) => {
                    self.push(Kind::Remove, id, &[]);
                    return Ok(Outcome::Done(Some(before)));
                }
            },
        }
        Ok(Outcome::Done(None))
    }

    fn contains(&self, shared: &Shared, id: ObjectId) -> bool {
        match self.latest.get(&id) {
            Some(latest) => latest.is_some(),
            None => shared.contains(id),
        }
    }

    fn find(&self, shared: &Shared, id: ObjectId) -> Result<Option<Document>, StoreError> {
        match self.latest.get(&id) {
            None => shared.get(id),
            Some(None) => Ok(None),
            Some(Some(location)) => {
                let from = usize::try_from(location.offset - self.start)
                    .expect("a batch fits into memory")
                    + RECORD_HEADER_LEN;
                let document = &self.bytes[from..from + location.length as usize];
                Ok(Some(Bytes::copy_from_slice(document).into()))
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

/// Hashes ids, which are random enough: only ids of stored documents are hashed, and
/// those were made here.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

const _: () = assert!(BATCH_HEADER_LEN + MAX_PAYLOAD < u32::MAX as usize);
