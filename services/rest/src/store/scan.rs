//! This module owns opening a log file: reading every batch, telling a torn tail
//! from damage, and making a new file.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::format::{self, BATCH_HEADER_LEN, HEADER_LEN, MAX_PAYLOAD, RECORD_HEADER_LEN};
use super::index::{Index, Location};

/// The name of the log in its folder.
const FILE: &str = "log";

/// An open log: the file, what lives in it, and where the next batch goes.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    pub(crate) index: Index,
    pub(crate) end: u64,
}

/// Opens the log in `dir`, or makes an empty one.
pub(crate) fn open(dir: &Path, collection: &'static str) -> Result<Opened, StoreError> {
    let path = dir.join(FILE);
    let io = |error: io::Error| StoreError::io(&path, &error);
    let unfinished = temporary(&path);
    if unfinished.exists() {
        // A crash came before this file took the log's place: nothing refers to it.
        fs::remove_file(&unfinished).map_err(io)?;
    }
    if !path.exists() {
        create(&path, collection).map_err(io)?;
    }
    let file = File::options().read(true).write(true).open(&path).map_err(io)?;
    check_header(&file, &path, collection)?;
    let (index, end) = read_batches(&file, &path)?;
    let length = file.metadata().map_err(io)?.len();
    if length > end {
        tracing::warn!(
            file = %path.display(),
            bytes = length - end,
            "dropping an unfinished write at the end of the log: it was never answered",
        );
        file.set_len(end).and_then(|()| file.sync_all()).map_err(io)?;
    }
    Ok(Opened { path, file, index, end })
}

/// The name under which a file is written that is to take the place of `path`.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// Makes a change of names in the file's folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Makes an empty log: after a crash it is there with its header or not at all.
fn create(path: &Path, collection: &str) -> io::Result<()> {
    let unfinished = temporary(path);
    let mut file = File::create(&unfinished)?;
    file.write_all(&format::header(collection))?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    sync_folder(path)
}

fn check_header(file: &File, path: &Path, collection: &'static str) -> Result<(), StoreError> {
    let mut header = Vec::new();
    file.take(HEADER_LEN as u64)
        .read_to_end(&mut header)
        .map_err(|error| StoreError::io(path, &error))?;
    if header == format::header(collection) {
        return Ok(());
    }
    let found = format::describe_header(&header);
    Err(StoreError::Foreign { path: path.into(), collection, found })
}

/// Reads batches to the end of the last whole one.
fn read_batches(file: &File, path: &Path) -> Result<(Index, u64), StoreError> {
    let mut index = Index::default();
    let mut end = HEADER_LEN as u64;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut batch = Vec::new();
    loop {
        batch.clear();
        let whole = read_batch(&mut reader, &mut batch).map_err(|e| StoreError::io(path, &e))?;
        let damaged =
            |at: usize| StoreError::Damaged { path: path.into(), offset: end + at as u64 };
        if batch.is_empty() {
            return Ok((index, end));
        }
        if !whole {
            // Enough to see that a tail is too long to be one unfinished write.
            let mut rest = (&mut reader).take(MAX_PAYLOAD as u64 * 2);
            rest.read_to_end(&mut batch).map_err(|error| StoreError::io(path, &error))?;
            return if is_torn_tail(&batch) { Ok((index, end)) } else { Err(damaged(0)) };
        }
        let mut at = BATCH_HEADER_LEN;
        while at < batch.len() {
            let record = format::read_record(&batch[at..]).ok_or_else(|| damaged(at))?;
            let length = u32::try_from(record.document.len()).map_err(|_| damaged(at))?;
            index.apply(record.kind, record.id, Location { offset: end + at as u64, length });
            at += RECORD_HEADER_LEN + record.document.len();
        }
        end += batch.len() as u64;
    }
}

/// Reads one batch with its header; false where what was read is no whole batch.
fn read_batch(reader: &mut impl Read, batch: &mut Vec<u8>) -> io::Result<bool> {
    reader.take(BATCH_HEADER_LEN as u64).read_to_end(batch)?;
    let Some(length) = format::batch_length(batch) else {
        return Ok(false);
    };
    reader.take(length as u64).read_to_end(batch)?;
    let (header, payload) = batch.split_at(BATCH_HEADER_LEN);
    Ok(payload.len() == length && format::batch_is_whole(header, payload))
}

/// Whether the bytes from the last whole batch to the file's end are what one
/// unfinished write can leave. One batch is written at a time: a tail longer than
/// the largest batch, or with a whole batch in it, was answered once and is damaged.
fn is_torn_tail(tail: &[u8]) -> bool {
    let whole_batch_at = |at: usize| {
        let rest = &tail[at..];
        format::batch_length(rest).is_some_and(|length| {
            let end = BATCH_HEADER_LEN + length;
            end <= rest.len() && format::batch_is_whole(rest, &rest[BATCH_HEADER_LEN..end])
        })
    };
    tail.len() <= BATCH_HEADER_LEN + MAX_PAYLOAD && !(1..tail.len()).any(whole_batch_at)
}
