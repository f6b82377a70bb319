//! This module owns rewriting the log without what is dead: replaced and removed
//! documents. A thread of its own copies what lives while reads and writes go on; the
//! writer adds what has come meanwhile, and the new file takes the old one's place at
//! once or not at all.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;

use super::commit::Message;
use super::format::{self, HEADER_LEN, Kind};
use super::index::{Index, Snapshot};
use super::log::Shared;
use super::metrics::Counters;
use super::writing::{BulkError, BulkWriter};
use super::{StoreError, scan};
use crate::private;

/// Dead bytes that are not worth a rewrite.
pub(crate) const DEAD_BYTES_ALLOWED: u64 = 64 << 20;
/// Writes that came meanwhile and that the writer may copy, which makes others wait.
/// More than this is copied beforehand.
const SHORT_TAIL: u64 = 1 << 20;
/// Times that the rest is copied beforehand; then the writer takes what there is.
const ROUNDS: u32 = 8;

/// What the writer knows of rewrites.
#[derive(Debug)]
pub(crate) struct Rewriting {
    writer: mpsc::WeakSender<Message>,
    /// Rewriting the file is tried when its dead bytes exceed this.
    dead_bytes_allowed: u64,
    thread: Option<JoinHandle<()>>,
}

/// A new file with everything up to a place in the old one.
#[derive(Debug)]
pub(crate) struct Rewritten {
    file: File,
    index: Index,
    end: u64,
    /// The end of what has been copied from the old file.
    copied: u64,
}

impl Rewriting {
    pub(crate) fn new(writer: mpsc::WeakSender<Message>, dead_bytes_allowed: u64) -> Self {
        Self { writer, dead_bytes_allowed, thread: None }
    }

    /// Begins a rewrite where more of the file is dead than alive.
    pub(crate) fn begin_if_worthwhile(&mut self, shared: &Arc<Shared>) {
        let (live, end) = shared.read(|state| (state.index.live_bytes(), state.end));
        let dead = (end - HEADER_LEN as u64).saturating_sub(live);
        if self.thread.is_some() || dead <= self.dead_bytes_allowed.max(live) {
            return;
        }
        let (shared, writer) = (Arc::clone(shared), self.writer.clone());
        let work = move || {
            let result = rewrite(&shared);
            if let Some(writer) = writer.upgrade() {
                // A writer that is gone has no use for it.
                let _ = writer.blocking_send(Message::Rewritten(Box::new(result)));
            }
        };
        match thread::Builder::new().name("store-rewriter".into()).spawn(work) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => tracing::error!(%error, "the log could not be rewritten"),
        }
    }

    /// Puts the new file in the old one's place.
    pub(crate) fn finish(&mut self, shared: &Shared, result: Result<Rewritten, StoreError>) {
        self.join();
        let before = shared.read(|state| state.end);
        match result.and_then(|rewritten| take_place(shared, rewritten)) {
            Ok(after) => {
                Counters::count(&shared.counters.rewrites);
                tracing::info!(before, after, "rewrote the log");
            }
            // Given up since the store is being closed: the next start tries again.
            Err(_) if shared.is_closing() => forget(shared),
            Err(error) => {
                tracing::error!(%error, "the log could not be rewritten and goes on growing");
                // Not again at once: the cause, a full disk say, will still be there.
                self.dead_bytes_allowed = before * 2;
                forget(shared);
            }
        }
    }

    /// Ends a rewrite that is under way when the store is closed.
    pub(crate) fn abandon(&mut self, shared: &Shared) {
        if self.thread.is_some() {
            self.join();
            forget(shared);
        }
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic has been printed when it happened.
            let _ = thread.join();
        }
    }
}

/// Removes an unfinished file; a start would do so, too.
fn forget(shared: &Shared) {
    let _ = fs::remove_file(scan::temporary(&shared.path));
}

/// Copies what lives, and then what is written meanwhile until little of it is left.
fn rewrite(shared: &Shared) -> Result<Rewritten, StoreError> {
    let (old, snapshot, copied) = shared.read(|state| {
        let snapshot = state.index.snapshot(None, usize::MAX);
        (Arc::clone(&state.file), snapshot, state.end)
    });
    let mut new = copy_live(shared, &old, snapshot, copied)?;
    for _ in 0..ROUNDS {
        let end = shared.read(|state| state.end);
        copy_tail(shared, &old, &mut new, end)?;
        new.file.sync_data().map_err(|error| StoreError::io(&shared.path, &error))?;
        if shared.read(|state| state.end) - end < SHORT_TAIL {
            break;
        }
    }
    Ok(new)
}

fn copy_live(
    shared: &Shared,
    old: &File,
    snapshot: Snapshot,
    copied: u64,
) -> Result<Rewritten, StoreError> {
    let io = |error: io::Error| StoreError::io(&shared.path, &error);
    let mut options = File::options();
    options.create(true).truncate(true).read(true).write(true);
    let file = private::open(&mut options, &scan::temporary(&shared.path)).map_err(io)?;
    let mut writer = BulkWriter::new(&file, &format::header(shared.collection)).map_err(io)?;
    let mut index = Index::default();
    let copied_all = writer.push_all(old, &shared.path, snapshot, |id, location| {
        index.apply(Kind::Put, id, location);
        check_open(shared)
    });
    copied_all.map_err(|error| match error {
        BulkError::Log(error) => error,
        BulkError::Write(error) => io(error),
    })?;
    let end = writer.finish().map_err(io)?;
    Ok(Rewritten { file, index, end, copied })
}

/// Copies the batches of the old file up to `end`, which is the end of one.
fn copy_tail(shared: &Shared, old: &File, new: &mut Rewritten, end: u64) -> Result<(), StoreError> {
    let io = |error: io::Error| StoreError::io(&shared.path, &error);
    let tail = scan::FileRange::new(old, new.copied, end);
    let mut batches = scan::Batches::new(tail, &shared.path, new.copied);
    while let Some(batch) = batches.next()? {
        check_open(shared)?;
        new.file.write_all_at(batch.bytes, new.end).map_err(io)?;
        batch.apply(&mut new.index, new.end)?;
        new.end += batch.bytes.len() as u64;
    }
    new.copied = batches.end();
    // Up to `end` all was answered: a batch that is not whole there is damage.
    if new.copied < end {
        return Err(StoreError::Damaged { path: shared.path.clone(), offset: new.copied });
    }
    Ok(())
}

/// Returns the new file's length.
fn take_place(shared: &Shared, mut new: Rewritten) -> Result<u64, StoreError> {
    let io = |error: io::Error| StoreError::io(&shared.path, &error);
    check_open(shared)?;
    let (old, end) = shared.read(|state| (Arc::clone(&state.file), state.end));
    copy_tail(shared, &old, &mut new, end)?;
    new.file.sync_all().map_err(io)?;
    fs::rename(scan::temporary(&shared.path), &shared.path).map_err(io)?;
    let length = new.end;
    // From here on the old file has no name: whatever fails, writes go to the new one.
    shared.write(|state| {
        state.file = Arc::new(new.file);
        state.number += 1;
        state.index = new.index;
        state.end = length;
    });
    scan::sync_folder(&shared.path).map_err(|error| {
        shared.stop();
        io(error)
    })?;
    Ok(length)
}

/// Ends the work of a store that is being closed, or whose file may not be what its
/// index says.
fn check_open(shared: &Shared) -> Result<(), StoreError> {
    if shared.is_closing() || shared.is_stopped() {
        return Err(StoreError::Stopped { path: shared.path.clone() });
    }
    Ok(())
}
