//! This module owns copies of the data: taken from a log while a service writes to it,
//! and put back into a folder.
//!
//! A copy is a file in the log's format with a header of its own, the live documents by
//! ascending id, and a last record that says how many there are: a copy that was cut
//! short anywhere is noticed.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::format::{self, HEADER_LEN, Kind};
use super::index::Index;
use super::writing::{BulkError, BulkWriter};
use super::{StoreError, scan};
use crate::data_dir::DataDir;
use crate::id::ObjectId;

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// How many documents.
    pub documents: usize,
    /// The size of the file that was written, in bytes.
    pub bytes: u64,
}

/// Why a copy was not made or put back. What was there before is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The log or its folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The copy cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The copy.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The copy cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        /// The copy.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The copy is not whole, or not a copy.
    #[error("{} cannot be restored: {found}; take another copy", path.display())]
    Bad {
        /// The copy.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// The folder holds data, and replacing them was not asked for.
    #[error(
        "{} holds {documents} documents: restore into an empty folder, or have them replaced with \
         --replace", path.display()
    )]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// How many documents it holds.
        documents: usize,
    },
}

/// Copies the documents of the log in `dir` to `to`, as they are at this moment. A
/// service may be writing to the log: everything that it has answered before is copied.
pub fn backup(dir: &Path, collection: &'static str, to: &Destination) -> Result<Copied, CopyError> {
    let path = dir.join(scan::FILE);
    let store_io = |error: io::Error| StoreError::io(&path, &error);
    let log = File::open(&path).map_err(store_io)?;
    scan::check_header(&log, &path, collection)?;
    // What is appended from here on is not looked at. A write under way may be the last
    // of what is, and looks like one that was cut short; nobody has been answered for it.
    let length = log.metadata().map_err(store_io)?.len();
    let (index, _) = scan::index(&log, &path, length)?;
    to.write(|out| write_copy(&log, &path, &index, collection, out))
}

fn write_copy(
    log: &File,
    path: &Path,
    index: &Index,
    collection: &str,
    out: &mut dyn Write,
) -> Result<Copied, BulkError> {
    let mut copy = BulkWriter::new(out, &format::copy_header(collection))?;
    let snapshot = index.snapshot(None, usize::MAX);
    let documents = snapshot.len();
    copy.push_all(log, path, snapshot, |_, _| Ok(()))?;
    copy.close_batch()?;
    let count = (documents as u64).to_le_bytes();
    copy.push(Kind::End, ObjectId::from_bytes([0; 12]), &count)?;
    Ok(Copied { documents, bytes: copy.finish()? })
}

/// Where a copy goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file, which is there once it is whole.
    File(PathBuf),
}

impl Destination {
    fn write(
        &self,
        content: impl FnOnce(&mut dyn Write) -> Result<Copied, BulkError>,
    ) -> Result<Copied, CopyError> {
        let path = match self {
            Self::Stdout => Path::new("standard output"),
            Self::File(path) => path,
        };
        let failed = |error| match error {
            BulkError::Log(error) => CopyError::Store(error),
            BulkError::Write(source) => CopyError::Unwritable { path: path.into(), source },
        };
        match self {
            Self::Stdout => content(&mut BufWriter::new(io::stdout().lock())).map_err(failed),
            Self::File(path) => {
                let mut unfinished = path.clone().into_os_string();
                unfinished.push(".part");
                let unfinished = PathBuf::from(unfinished);
                let written = write_file(&unfinished, path, content);
                if written.is_err() {
                    let _ = fs::remove_file(&unfinished);
                }
                written.map_err(failed)
            }
        }
    }
}

fn write_file(
    unfinished: &Path,
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> Result<Copied, BulkError>,
) -> Result<Copied, BulkError> {
    let mut file = File::create(unfinished)?;
    let copied = content(&mut BufWriter::new(&mut file))?;
    scan::put_in_place(&file, unfinished, path)?;
    Ok(copied)
}

/// Puts the copy `from` into a locked folder, in place of what it holds if `replace`
/// is set. The copy is read and verified as a whole first.
pub fn restore(
    dir: &DataDir,
    collection: &'static str,
    from: &Path,
    replace: bool,
) -> Result<Copied, CopyError> {
    let log = dir.path().join(scan::FILE);
    if log.exists() && !replace {
        let documents = scan::open(dir.path(), collection)?.index.len();
        if documents > 0 {
            return Err(CopyError::Occupied { path: dir.path().into(), documents });
        }
    }
    let unfinished = scan::temporary(&log);
    let restored = restore_to(&unfinished, &log, collection, from);
    if restored.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    restored
}

fn restore_to(
    unfinished: &Path,
    log: &Path,
    collection: &'static str,
    from: &Path,
) -> Result<Copied, CopyError> {
    let store_io = |error: io::Error| CopyError::Store(StoreError::io(log, &error));
    let mut file = File::create(unfinished).map_err(store_io)?;
    let mut new = BulkWriter::new(&mut file, &format::header(collection)).map_err(store_io)?;
    let documents = read_copy(from, collection, |id, document| {
        new.push(Kind::Put, id, document).map(drop).map_err(store_io)
    })?;
    let bytes = new.finish().map_err(store_io)?;
    scan::put_in_place(&file, unfinished, log).map_err(store_io)?;
    Ok(Copied { documents, bytes })
}

/// Calls `take` with every document of a copy, and returns how many there were. An
/// error may come after some of them.
fn read_copy(
    path: &Path,
    collection: &'static str,
    mut take: impl FnMut(ObjectId, &[u8]) -> Result<(), CopyError>,
) -> Result<usize, CopyError> {
    let bad = |found: String| CopyError::Bad { path: path.into(), found };
    let io = |source| CopyError::Unreadable { path: path.into(), source };
    let mut reader = open(path).map_err(io)?;
    let mut header = Vec::new();
    (&mut reader).take(HEADER_LEN as u64).read_to_end(&mut header).map_err(io)?;
    if header != format::copy_header(collection) {
        return Err(bad(format!(
            "it is not a copy of {collection}, {}",
            format::describe_header(&header)
        )));
    }
    let mut batches = scan::Batches::new(reader, path, HEADER_LEN as u64);
    let mut documents = 0_usize;
    let mut announced = None;
    while let Some(batch) = batches.next().map_err(|error| bad(error.to_string()))? {
        batch.for_each(|record, _| match (announced, record.kind) {
            (None, Kind::Put) => {
                documents += 1;
                take(record.id, record.document)
            }
            (None, Kind::End) => {
                announced = record.document.try_into().ok().map(u64::from_le_bytes);
                Ok(())
            }
            _ => Err(bad("it goes on after its end".into())),
        })?;
    }
    match announced {
        Some(announced) if announced == documents as u64 => Ok(documents),
        Some(announced) => Err(bad(format!("it holds {documents} of {announced} documents"))),
        None => Err(bad(format!("it ends after {documents} documents without its end mark"))),
    }
}

fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(BufReader::with_capacity(1 << 20, File::open(path)?)))
}
