//! This module owns copies of the data: taken from a log while a service writes to it,
//! and put back into a folder.
//!
//! A copy is a file in the log's format with a header of its own, the live documents by
//! ascending id, and a last record that says how many there are: a copy that was cut
//! short anywhere is noticed. What a service keeps beside its documents, in folders below
//! theirs, follows them in parts of the same form.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::format::{self, HEADER_LEN, Kind};
use super::index::Index;
use super::writing::{BulkError, BulkWriter};
use super::{StoreError, scan};
use crate::data_dir::{self, DataDir};
use crate::id::ObjectId;
use crate::private;

/// No service keeps more beside its documents. Each has a folder of its own.
const MAX_BESIDE: usize = 8;

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

/// Copies the documents of the log in `dir` to `to`, as they are at this moment, and
/// what is kept beside them. A service may be writing to the log: everything that it has
/// answered before is copied.
pub fn backup(dir: &Path, collection: &'static str, to: &Destination) -> Result<Copied, CopyError> {
    let documents = Part::open(dir, collection)?;
    to.write(|out| {
        let copied = documents.copy_to(out)?;
        // Later than the documents: what is kept beside them is about these, or newer.
        let mut bytes = copied.bytes;
        for folder in beside(dir) {
            bytes += Part::open(&dir.join(folder), folder)?.copy_to(out)?.bytes;
        }
        Ok(Copied { bytes, ..copied })
    })
}

/// The names of the folders below `dir` that have a log: each is what its log is of.
fn beside(dir: &Path) -> Vec<&'static str> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.path().join(scan::FILE).exists());
    let mut names: Vec<_> =
        names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    // There are one or two in a process's life.
    names.into_iter().map(|name| &*name.leak()).collect()
}

/// A log that is copied as it was when it was opened.
struct Part {
    log: File,
    path: PathBuf,
    index: Index,
    collection: &'static str,
}

impl Part {
    fn open(dir: &Path, collection: &'static str) -> Result<Self, StoreError> {
        let path = dir.join(scan::FILE);
        let store_io = |error: io::Error| StoreError::io(&path, &error);
        let log = File::open(&path).map_err(store_io)?;
        scan::check_header(&log, &path, collection)?;
        // What is appended from here on is not looked at. A write under way may be the last
        // of what is, and looks like one that was cut short; nobody has been answered for it.
        let length = log.metadata().map_err(store_io)?.len();
        let (index, _) = scan::index(&log, &path, length)?;
        Ok(Self { log, path, index, collection })
    }

    fn copy_to(&self, out: &mut dyn Write) -> Result<Copied, BulkError> {
        write_copy(&self.log, &self.path, &self.index, self.collection, out)
    }
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
            Self::File(path) => write_file(path, content).map_err(failed),
        }
    }
}

fn write_file(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> Result<Copied, BulkError>,
) -> Result<Copied, BulkError> {
    // The name is one that nobody can have foreseen: another backup to the same file may
    // be under way, and in a folder that others can write to, a link may wait there.
    let random = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
    let mut unfinished = path.to_path_buf().into_os_string();
    unfinished.push(format!(".{random:016x}.part"));
    let unfinished = PathBuf::from(unfinished);
    let file = File::options().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let written = content(&mut BufWriter::new(&file))
        .and_then(|copied| Ok(scan::put_in_place(&file, &unfinished, path).map(|()| copied)?));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Reads a copy of `collection` to its end and checks that it can be restored.
pub fn verify(path: &Path, collection: &str) -> Result<Copied, CopyError> {
    let mut copy = Copy::open(path)?;
    copy.first_part(collection)?;
    let documents = copy.documents(|_, _| Ok(()))?;
    while copy.next_beside()?.is_some() {
        copy.documents(|_, _| Ok(()))?;
    }
    Ok(Copied { documents, bytes: copy.at })
}

/// Puts the copy `from` into a locked folder, in place of what it holds if `replace`
/// is set. The copy is read and verified as a whole first. Of what is kept beside the
/// documents, what the folder knows already stays: it is newer than the copy.
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
    let mut copy = Copy::open(from)?;
    copy.first_part(collection)?;
    let restored = Unplaced::read(&mut copy, log, collection, None)?;
    let mut beside = Vec::new();
    while let Some(name) = copy.next_beside()? {
        let name: &'static str = name.leak();
        let folder = dir.path().join(name);
        let lock = DataDir::lock(&folder).map_err(|error| copy.bad(error.to_string()))?;
        let is_known = folder.join(scan::FILE).exists();
        let known = is_known.then(|| Part::open(&folder, name)).transpose()?;
        let part = Unplaced::read(&mut copy, folder.join(scan::FILE), name, known.as_ref())?;
        beside.push((part, lock));
    }
    for (part, _) in beside {
        part.place()?;
    }
    restored.place()
}

/// A log that was written and has not taken its place yet; it goes where it never does.
struct Unplaced {
    file: File,
    unfinished: PathBuf,
    log: PathBuf,
    copied: Copied,
}

impl Unplaced {
    /// Writes what the next part of the copy holds, but for what is known better.
    fn read(
        copy: &mut Copy<'_>,
        log: PathBuf,
        collection: &'static str,
        known: Option<&Part>,
    ) -> Result<Self, CopyError> {
        let unfinished = scan::temporary(&log);
        let file = private::create(&unfinished)
            .map_err(|error| CopyError::Store(StoreError::io(&log, &error)))?;
        let copied = Copied { documents: 0, bytes: 0 };
        let mut unplaced = Self { file, unfinished, log, copied };
        unplaced.copied = unplaced.fill(copy, collection, known)?;
        Ok(unplaced)
    }

    fn fill(
        &self,
        copy: &mut Copy<'_>,
        collection: &'static str,
        known: Option<&Part>,
    ) -> Result<Copied, CopyError> {
        let store_io = |error: io::Error| CopyError::Store(StoreError::io(&self.log, &error));
        let header = format::header(collection);
        let mut new = BulkWriter::new(&self.file, &header).map_err(store_io)?;
        let documents = copy.documents(|id, document| {
            if known.is_some_and(|known| known.index.get(id).is_some()) {
                return Ok(());
            }
            new.push(Kind::Put, id, document).map(drop).map_err(store_io)
        })?;
        if let Some(Part { log, path, index, .. }) = known {
            let all = index.snapshot(None, usize::MAX);
            let pushed = new.push_all(log, path, all, |_, _| Ok(()));
            pushed.map_err(|error| match error {
                BulkError::Log(error) => CopyError::Store(error),
                BulkError::Write(error) => store_io(error),
            })?;
        }
        let bytes = new.finish().map_err(store_io)?;
        Ok(Copied { documents, bytes })
    }

    /// Puts it in its place.
    fn place(self) -> Result<Copied, CopyError> {
        let placed = scan::put_in_place(&self.file, &self.unfinished, &self.log);
        placed.map_err(|error| CopyError::Store(StoreError::io(&self.log, &error)))?;
        Ok(self.copied)
    }
}

impl Drop for Unplaced {
    fn drop(&mut self) {
        // Once it is in its place, it is not there.
        let _ = fs::remove_file(&self.unfinished);
    }
}

/// A copy that is read part by part.
struct Copy<'a> {
    path: &'a Path,
    reader: Box<dyn Read>,
    /// How much of it has been read, in bytes.
    at: u64,
    /// What its last header is, for an error.
    described: String,
    /// What its parts are of that came after the first.
    beside: Vec<String>,
}

impl<'a> Copy<'a> {
    fn open(path: &'a Path) -> Result<Self, CopyError> {
        let reader: io::Result<Box<dyn Read>> = if path == Path::new("-") {
            Ok(Box::new(io::stdin().lock()))
        } else {
            let file = File::open(path);
            file.map(|file| Box::new(BufReader::with_capacity(1 << 20, file)) as Box<dyn Read>)
        };
        let reader =
            reader.map_err(|source| CopyError::Unreadable { path: path.into(), source })?;
        Ok(Self { path, reader, at: 0, described: String::new(), beside: Vec::new() })
    }

    fn bad(&self, found: String) -> CopyError {
        CopyError::Bad { path: self.path.into(), found }
    }

    /// Goes on to the first part, which must be of `collection`.
    fn first_part(&mut self, collection: &str) -> Result<(), CopyError> {
        if self.next_part()?.as_deref() == Some(collection) {
            return Ok(());
        }
        Err(self.bad(format!("it is not a copy of {collection}, {}", self.described)))
    }

    /// Goes on to the next part, which is of what is kept beside the documents, and returns
    /// its name; none at the end. A folder can have that name, and none has had it before.
    fn next_beside(&mut self) -> Result<Option<String>, CopyError> {
        let Some(name) = self.next_part()? else { return Ok(None) };
        let is_file = [scan::FILE, data_dir::LOCK_FILE].contains(&name.as_str());
        if is_file || self.beside.contains(&name) || self.beside.len() == MAX_BESIDE {
            return Err(self.bad(format!("nothing can be kept beside its documents as {name}")));
        }
        self.beside.push(name.clone());
        Ok(Some(name))
    }

    /// Goes on to the next part, and returns what it is a copy of; none at the end.
    fn next_part(&mut self) -> Result<Option<String>, CopyError> {
        let mut header = Vec::new();
        let read = (&mut self.reader).take(HEADER_LEN as u64).read_to_end(&mut header);
        read.map_err(|source| CopyError::Unreadable { path: self.path.into(), source })?;
        if header.is_empty() && self.at > 0 {
            return Ok(None);
        }
        self.described = format::describe_header(&header);
        match format::collection_of_copy(&header) {
            Some(name) => {
                self.at += HEADER_LEN as u64;
                Ok(Some(name))
            }
            None if self.at > 0 => Err(self.bad("it goes on after its end".into())),
            None => Ok(Some(String::new())),
        }
    }

    /// Calls `take` with every document of the part, and returns how many there were. An
    /// error may come after some of them.
    fn documents(
        &mut self,
        mut take: impl FnMut(ObjectId, &[u8]) -> Result<(), CopyError>,
    ) -> Result<usize, CopyError> {
        let path = self.path;
        let bad = |found: String| CopyError::Bad { path: path.into(), found };
        let mut batches = scan::Batches::of_copy(&mut self.reader, path, self.at);
        let mut documents = 0_usize;
        let mut announced = None;
        while announced.is_none()
            && let Some(batch) = batches.next().map_err(|error| bad(error.to_string()))?
        {
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
        self.at = batches.end();
        match announced {
            Some(announced) if announced == documents as u64 => Ok(documents),
            Some(announced) => Err(bad(format!("it holds {documents} of {announced} documents"))),
            None => Err(bad(format!("it ends after {documents} documents without its end mark"))),
        }
    }
}
