//! This module owns rewriting the log without what is dead: replaced and removed
//! documents. The new file takes the old one's place at once or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::Arc;

use super::StoreError;
use super::commit::Writer;
use super::format::{self, BATCH_HEADER_LEN, HEADER_LEN, Kind};
use super::index::{Index, Location};
use super::scan;

/// Dead bytes that are not worth a rewrite.
pub(crate) const DEAD_BYTES_ALLOWED: u64 = 64 << 20;
/// The payload at which a rewritten batch is closed.
const BATCH_BYTES: usize = 1 << 20;

/// Rewrites the log where more of it is dead than alive.
pub(crate) fn if_worthwhile(writer: &mut Writer) {
    let live = writer.shared.read(|state| state.index.live_bytes());
    let dead = (writer.end - HEADER_LEN as u64).saturating_sub(live);
    if dead <= writer.dead_bytes_allowed.max(live) {
        return;
    }
    match rewrite(writer) {
        Ok(()) => tracing::info!(before = dead + live, after = writer.end, "rewrote the log"),
        Err(error) => {
            tracing::error!(%error, "the log could not be rewritten and goes on growing");
            // Not again at once: the cause, a full disk say, will still be there.
            writer.dead_bytes_allowed = dead * 2;
            let _ = fs::remove_file(scan::temporary(&writer.shared.path));
        }
    }
}

fn rewrite(writer: &mut Writer) -> Result<(), StoreError> {
    let shared = Arc::clone(&writer.shared);
    let io = |error: io::Error| StoreError::io(&shared.path, &error);
    let (old_file, old) = shared.read(|state| (Arc::clone(&state.file), state.index.clone()));
    let temporary = scan::temporary(&shared.path);
    let mut file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&temporary)
        .map_err(io)?;
    file.write_all(&format::header(shared.collection)).map_err(io)?;

    let (mut index, mut end) = (Index::default(), HEADER_LEN as u64);
    let mut batch = Vec::with_capacity(BATCH_BYTES * 2);
    for (id, location) in old.iter() {
        if batch.is_empty() {
            format::begin_batch(&mut batch);
        }
        let document = location.read(&old_file, &shared.path)?;
        let offset = end + batch.len() as u64;
        format::push_record(&mut batch, Kind::Put, id, &document);
        index.apply(Kind::Put, id, Location { offset, length: location.length });
        if batch.len() >= BATCH_BYTES {
            end += write_batch(&mut file, &mut batch).map_err(io)?;
        }
    }
    if batch.len() > BATCH_HEADER_LEN {
        end += write_batch(&mut file, &mut batch).map_err(io)?;
    }
    file.sync_all().map_err(io)?;
    fs::rename(&temporary, &shared.path).map_err(io)?;
    // From here on the old file has no name: whatever fails, writes go to the new one.
    shared.write(|state| {
        state.file = Arc::new(file);
        state.index = index;
    });
    writer.end = end;
    scan::sync_folder(&shared.path).map_err(|error| {
        shared.stop();
        io(error)
    })
}

fn write_batch(file: &mut File, batch: &mut Vec<u8>) -> io::Result<u64> {
    format::finish_batch(batch);
    file.write_all(batch)?;
    let written = batch.len() as u64;
    batch.clear();
    Ok(written)
}
