//! This module owns opening a log file: reading every batch, telling a torn tail
//! from damage, and making a new file.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::format::{self, BATCH_HEADER_LEN, HEADER_LEN, MAX_PAYLOAD, RECORD_HEADER_LEN, Record};
use super::index::{Index, Location};
use crate::private;

/// The name of the log in its folder.
pub(crate) const FILE: &str = "log";

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
    let file = private::open(File::options().read(true).write(true), &path).map_err(io)?;
    check_header(&file, &path, collection)?;
    let length = file.metadata().map_err(io)?.len();
    let (index, end) = index(&file, &path, length)?;
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

/// What lives in the first `length` bytes of a log, and the end of the last whole batch
/// in them.
pub(crate) fn index(file: &File, path: &Path, length: u64) -> Result<(Index, u64), StoreError> {
    let start = HEADER_LEN as u64;
    let range = FileRange::new(file, start, length.max(start));
    let mut batches = Batches::new(range, path, start);
    let mut index = Index::default();
    while let Some(batch) = batches.next()? {
        batch.apply(&mut index, batch.start)?;
    }
    Ok((index, batches.end()))
}

/// The name under which a file is written that is to take the place of `path`.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// Makes a change of names in the file's folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Makes an empty log: after a crash it is there with its header or not at all.
fn create(path: &Path, collection: &str) -> io::Result<()> {
    let unfinished = temporary(path);
    let mut file = private::create(&unfinished)?;
    file.write_all(&format::header(collection))?;
    put_in_place(&file, &unfinished, path)
}

/// Makes a finished file durable and gives it the name `path`, at once or not at all.
pub(crate) fn put_in_place(file: &File, unfinished: &Path, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(unfinished, path)?;
    sync_folder(path)
}

pub(crate) fn check_header(
    file: &File,
    path: &Path,
    collection: &'static str,
) -> Result<(), StoreError> {
    let mut header = Vec::new();
    FileRange { file, at: 0, end: HEADER_LEN as u64 }
        .read_to_end(&mut header)
        .map_err(|error| StoreError::io(path, &error))?;
    if header == format::header(collection) {
        return Ok(());
    }
    let found = format::describe_header(&header);
    Err(StoreError::Foreign { path: path.into(), collection, found })
}

/// Batches of a log one after another, each verified.
#[derive(Debug)]
pub(crate) struct Batches<'a, R> {
    reader: R,
    path: &'a Path,
    /// The end of the last whole batch.
    end: u64,
    buffer: Vec<u8>,
    /// Of a copy, which is never written to again.
    of_copy: bool,
}

/// A whole batch, header and all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// Where it begins in its file.
    pub(crate) start: u64,
    pub(crate) bytes: &'a [u8],
    path: &'a Path,
}

impl<'a, R: Read> Batches<'a, R> {
    /// Reads batches from `reader`, which is at byte `start` of the file at `path`.
    pub(crate) fn new(reader: R, path: &'a Path, start: u64) -> Self {
        Self { reader, path, end: start, buffer: Vec::new(), of_copy: false }
    }

    /// As [`Self::new`], where the file is a copy. What is not whole in it is no unfinished
    /// write, and is not searched for batches: that takes long where it was made to.
    pub(crate) fn of_copy(reader: R, path: &'a Path, start: u64) -> Self {
        Self { of_copy: true, ..Self::new(reader, path, start) }
    }

    /// The end of the last whole batch.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The next batch; `None` at the end, or where an unfinished write follows.
    pub(crate) fn next(&mut self) -> Result<Option<Batch<'_>>, StoreError> {
        let path = self.path;
        let io = |error: io::Error| StoreError::io(path, &error);
        self.buffer.clear();
        let whole = read_batch(&mut self.reader, &mut self.buffer).map_err(io)?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        if !whole && self.of_copy {
            // Where more follows, this was not cut off but changed.
            return match self.reader.read(&mut [0]).map_err(io)? {
                0 => Ok(None),
                _ => Err(StoreError::Damaged { path: path.into(), offset: self.end }),
            };
        }
        if !whole {
            // Enough to see that a tail is too long to be one unfinished write.
            let mut rest = (&mut self.reader).take(MAX_PAYLOAD as u64 * 2);
            rest.read_to_end(&mut self.buffer).map_err(io)?;
            let damaged = StoreError::Damaged { path: path.into(), offset: self.end };
            return if is_torn_tail(&self.buffer) { Ok(None) } else { Err(damaged) };
        }
        let start = self.end;
        self.end += self.buffer.len() as u64;
        Ok(Some(Batch { start, bytes: &self.buffer, path }))
    }
}

impl<'a> Batch<'a> {
    /// Calls `take` with each record and its offset in the batch.
    pub(crate) fn for_each<E: From<StoreError>>(
        &self,
        mut take: impl FnMut(Record<'a>, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = BATCH_HEADER_LEN;
        while at < self.bytes.len() {
            let record = format::read_record(&self.bytes[at..]).ok_or_else(|| self.damaged(at))?;
            take(record, at)?;
            at += RECORD_HEADER_LEN + record.document.len();
        }
        Ok(())
    }

    /// Applies the records to an index as though the batch began at `start`.
    pub(crate) fn apply(&self, index: &mut Index, start: u64) -> Result<(), StoreError> {
        self.for_each(|record, at| {
            let length = u32::try_from(record.document.len()).map_err(|_| self.damaged(at))?;
            index.apply(record.kind, record.id, Location { offset: start + at as u64, length });
            Ok(())
        })
    }

    fn damaged(&self, at: usize) -> StoreError {
        StoreError::Damaged { path: self.path.into(), offset: self.start + at as u64 }
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

/// A part of a file, read without moving the file's own position.
#[derive(Debug)]
pub(crate) struct FileRange<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl<'a> FileRange<'a> {
    pub(crate) fn new(file: &'a File, at: u64, end: u64) -> BufReader<Self> {
        BufReader::with_capacity(1 << 20, Self { file, at, end })
    }
}

impl Read for FileRange<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(into.len());
        let length = self.file.read_at(&mut into[..left], self.at)?;
        self.at += length as u64;
        Ok(length)
    }
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
