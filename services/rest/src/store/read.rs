//! This module owns reading documents back from the log file. Nothing leaves it that
//! is not byte for byte what was written.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use rustix::io::ReadWriteFlags;

use super::StoreError;
use super::format::{self, RECORD_HEADER_LEN};
use super::index::{Entry, Location};
use crate::id::ObjectId;

/// Records that lie this close are read at once: passing over some bytes costs less
/// than another system call.
const GAP: u64 = 512;

/// Reads the document of `id` and verifies it.
pub(crate) fn document(
    file: &File,
    path: &Path,
    id: ObjectId,
    location: Location,
) -> Result<Bytes, StoreError> {
    let mut bytes = vec![0; record_length(location)];
    file.read_exact_at(&mut bytes, location.offset)
        .map_err(|error| failed(path, location, &error))?;
    verify(&bytes.into(), path, id, location)
}

/// As [`document`], but only if the file's pages are in memory: it never waits for the
/// disk. `None` where it would have to, or where the file system cannot tell.
pub(crate) fn cached_document(
    file: &File,
    path: &Path,
    id: ObjectId,
    location: Location,
) -> Option<Result<Bytes, StoreError>> {
    let mut bytes = vec![0; record_length(location)];
    let into = &mut [IoSliceMut::new(&mut bytes)];
    match rustix::io::preadv2(file, into, location.offset, ReadWriteFlags::NOWAIT) {
        Ok(length) if length == bytes.len() => Some(verify(&bytes.into(), path, id, location)),
        _ => None,
    }
}

/// Reads the documents of `entries`, in their order, each verified.
pub(crate) fn documents(
    file: &File,
    path: &Path,
    entries: &[Entry],
) -> Result<Vec<Bytes>, StoreError> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_unstable_by_key(|&n| entries[n].location().offset);
    let mut documents = vec![Bytes::new(); entries.len()];
    let end = |n: usize| {
        let location = entries[n].location();
        location.offset + location.size()
    };
    for run in order.chunk_by(|&a, &b| entries[b].location().offset.saturating_sub(end(a)) <= GAP) {
        let start = entries[run[0]].location().offset;
        let length = end(*run.last().expect("a run has entries")) - start;
        let mut bytes = vec![0; to_usize(length)];
        if file.read_exact_at(&mut bytes, start).is_err() {
            // One by one, to learn which of them cannot be read.
            for &n in run {
                documents[n] = document(file, path, entries[n].id, entries[n].location())?;
            }
            continue;
        }
        let bytes = Bytes::from(bytes);
        for &n in run {
            let location = entries[n].location();
            let at = to_usize(location.offset - start);
            let record = bytes.slice(at..at + record_length(location));
            documents[n] = verify(&record, path, entries[n].id, location)?;
        }
    }
    Ok(documents)
}

/// The document of a record, if that is the one which was written for `id`.
fn verify(
    bytes: &Bytes,
    path: &Path,
    id: ObjectId,
    location: Location,
) -> Result<Bytes, StoreError> {
    match format::read_record(bytes) {
        Some(record) if record.id == id && record.document.len() == location.length as usize => {
            Ok(bytes.slice(RECORD_HEADER_LEN..))
        }
        _ => Err(damaged(path, location)),
    }
}

fn failed(path: &Path, location: Location, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged(path, location),
        _ => StoreError::io(path, error),
    }
}

fn damaged(path: &Path, location: Location) -> StoreError {
    StoreError::Damaged { path: path.into(), offset: location.offset }
}

fn record_length(location: Location) -> usize {
    to_usize(location.size())
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).expect("records are far smaller than the address space")
}
