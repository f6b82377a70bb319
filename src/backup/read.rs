//! Reads backup archives. Nothing in an archive is trusted: each name must be an expected
//! one, and no more is decompressed than the checked manifest allows for.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;
use rustix::fs::{Advice, fadvise, statvfs};

use super::{BackupError, CopyWriter, MANIFEST, Manifest, Part, VERSION, each_chunk, io_error};
use crate::config::Name;

/// The longest manifest.
const MAX_MANIFEST: u64 = 64 << 10;
/// Zeros that may follow the last copy: tar programs pad their last record.
const MAX_PADDING: u64 = 256 << 10;
/// The size of a header, to a multiple of which each entry is padded.
const BLOCK: u64 = 512;
/// The longest text from an archive that an error quotes.
const MAX_QUOTED: usize = 64;
/// How many services of another stack an error names.
const MAX_NAMED: usize = 8;

/// Unpacks the copies of `services` from a backup into an empty folder, and checks that each
/// is as it was made. Nothing is written for a backup of other services, or for one that
/// does not fit on the disk.
pub fn unpack(file: &Path, services: &[&str], folder: &Path) -> Result<Manifest, BackupError> {
    let open = File::open(file).map_err(|source| io_error(file, source))?;
    Reader { path: file, services, folder: Some(folder) }.run(open)
}

/// Reads a backup that was just written as [`unpack`] does, without unpacking it, and checks
/// that it contains `parts`. Errors call it `path`, which may not be its name yet.
pub fn verify(path: &Path, written: File, parts: &[Part]) -> Result<(), BackupError> {
    // Read from the disk and not from the cache, if that is possible.
    let _ = fadvise(&written, 0, None, Advice::DontNeed);
    let services: Vec<_> = parts.iter().map(|part| part.service.as_str()).collect();
    let unverified = |why| BackupError::Unverified { path: path.into(), why };
    match (Reader { path, services: &services, folder: None }).run(written) {
        Ok(manifest) if manifest.services == parts => Ok(()),
        Ok(_) => Err(unverified("it does not contain what was copied".into())),
        Err(BackupError::Damaged { why, .. }) => Err(unverified(why)),
        Err(error) => Err(unverified(error.to_string())),
    }
}

/// A backup that is being read.
struct Reader<'a> {
    path: &'a Path,
    /// The services it must hold.
    services: &'a [&'a str],
    /// Where the copies go, if anywhere.
    folder: Option<&'a Path>,
}

impl Reader<'_> {
    fn run(&self, file: File) -> Result<Manifest, BackupError> {
        let allowed = Cell::new(BLOCK + MAX_MANIFEST);
        let reader = GzDecoder::new(BufReader::new(file));
        let mut archive = tar::Archive::new(Limited { reader, allowed: &allowed });
        // Raw entries: long names and other extensions would be read without a bound.
        let entries = archive.entries().map_err(|error| self.damaged(error))?;
        let mut entries = entries.raw(true);
        let manifest = self.manifest(entries.next())?;
        self.check_services(&manifest)?;
        self.check_space(&manifest)?;
        for part in &manifest.services {
            // The rest of the previous entry's last block comes before the header.
            allowed.set(part.bytes.saturating_add(2 * BLOCK));
            self.copy(entries.next(), part)?;
        }
        allowed.set(2 * BLOCK + MAX_PADDING);
        if let Some(entry) = entries.next() {
            let entry = entry.map_err(|error| self.damaged(error))?;
            let name = quoted(&entry.path_bytes());
            return Err(self.damaged(format!("unexpected {name} after the last copy")));
        }
        self.check_end(archive.into_inner())?;
        Ok(manifest)
    }

    fn damaged(&self, why: impl Display) -> BackupError {
        BackupError::Damaged { path: self.path.into(), why: why.to_string() }
    }

    /// The next entry, which must be a regular file of this name.
    fn regular<'e, R: Read>(
        &self,
        entry: Option<io::Result<tar::Entry<'e, R>>>,
        name: &str,
    ) -> Result<tar::Entry<'e, R>, BackupError> {
        let entry = entry.ok_or_else(|| self.damaged("it is truncated"))?;
        let entry = entry.map_err(|error| self.damaged(error))?;
        if *entry.path_bytes() != *name.as_bytes() {
            let found = quoted(&entry.path_bytes());
            return Err(self.damaged(format!("found {found} instead of {name}")));
        }
        if !entry.header().entry_type().is_file() {
            return Err(self.damaged(format!("{name} is not a regular file")));
        }
        Ok(entry)
    }

    fn manifest<R: Read>(
        &self,
        entry: Option<io::Result<tar::Entry<'_, R>>>,
    ) -> Result<Manifest, BackupError> {
        let wrong = |why: String| self.damaged(format!("{MANIFEST}: {why}"));
        let mut entry = self.regular(entry, MANIFEST)?;
        let bytes = entry.size();
        if bytes > MAX_MANIFEST {
            return Err(wrong(format!("its {bytes} bytes are more than {MAX_MANIFEST}")));
        }
        let mut text = Vec::new();
        entry.read_to_end(&mut text).map_err(|error| self.damaged(error))?;
        if text.len() as u64 != bytes {
            return Err(self.damaged("it is truncated"));
        }
        let parsed = serde_json::from_slice::<Manifest>(&text);
        let mut manifest =
            parsed.map_err(|error| wrong(shortened(&error.to_string(), 4 * MAX_QUOTED)))?;
        if manifest.version != VERSION {
            let version = manifest.version;
            let why = format!("its version is {version}, and this program reads {VERSION}");
            return Err(self.damaged(why));
        }
        if Name::new(&manifest.stack).is_none() {
            return Err(wrong(format!("{} is not a name", quoted(manifest.stack.as_bytes()))));
        }
        let created = manifest.created.parse::<jiff::Timestamp>().map_err(|_| {
            let created = quoted(manifest.created.as_bytes());
            wrong(format!("{created} is not a time as in RFC 3339"))
        })?;
        // Written again, since what is parsed may have more in it than a time.
        manifest.created = created.to_string();
        Ok(manifest)
    }

    /// A backup of other services is one of another stack.
    fn check_services(&self, manifest: &Manifest) -> Result<(), BackupError> {
        let mut names = BTreeSet::new();
        for Part { service, .. } in &manifest.services {
            if Name::new(service).is_none() {
                let name = quoted(service.as_bytes());
                return Err(self.damaged(format!("{MANIFEST}: {name} is not a service's name")));
            }
            if !names.insert(service.as_str()) {
                return Err(self.damaged(format!("{MANIFEST}: {service} is listed twice")));
            }
        }
        if names == self.services.iter().copied().collect() {
            return Ok(());
        }
        let mut list: Vec<_> = names.iter().take(MAX_NAMED).copied().collect();
        list.extend((names.len() > MAX_NAMED).then_some("others"));
        let services = if list.is_empty() { "no services".into() } else { list.join(" and ") };
        Err(BackupError::OtherServices { path: self.path.into(), services })
    }

    fn check_space(&self, manifest: &Manifest) -> Result<(), BackupError> {
        let sizes = manifest.services.iter().map(|part| part.bytes);
        let needed = sizes.fold(0, u64::saturating_add);
        let Some(folder) = self.folder else { return Ok(()) };
        let disk = statvfs(folder).map_err(|error| io_error(folder, error.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if needed <= free {
            return Ok(());
        }
        // The folder itself is removed again.
        let folder = folder.parent().unwrap_or(folder).into();
        Err(BackupError::NoSpace { path: self.path.into(), folder, needed, free })
    }

    fn copy<R: Read>(
        &self,
        entry: Option<io::Result<tar::Entry<'_, R>>>,
        part: &Part,
    ) -> Result<(), BackupError> {
        let service = &part.service;
        let mut entry = self.regular(entry, &format!("{service}.copy"))?;
        if entry.size() != part.bytes {
            let (is, says) = (entry.size(), part.bytes);
            let why = format!("the copy of {service} has {is} bytes, and {MANIFEST} says {says}");
            return Err(self.damaged(why));
        }
        let mut copy = match self.folder {
            Some(folder) => CopyWriter::create(folder, service)?,
            None => CopyWriter::without_file(),
        };
        let read = each_chunk(&mut entry, |bytes| copy.push(bytes));
        read.map_err(|error| self.damaged(error))??;
        if copy.finish(service) != *part {
            return Err(self.damaged(format!("the copy of {service} has a wrong checksum")));
        }
        Ok(())
    }

    /// Only zeros follow the last entry, and not many. The last bytes of a gzip file are the
    /// checksum of the whole, which is compared when its end is read.
    fn check_end<R: BufRead>(
        &self,
        mut rest: Limited<'_, GzDecoder<R>>,
    ) -> Result<(), BackupError> {
        let check = |bytes: &[u8]| {
            let is_padding = bytes.iter().all(|&byte| byte == 0);
            if is_padding { Ok(()) } else { Err(self.damaged("it has data after its end")) }
        };
        each_chunk(&mut rest, check).map_err(|error| self.damaged(error))??;
        let mut file = rest.reader.into_inner();
        match file.fill_buf().map_err(|error| self.damaged(error))? {
            [] => Ok(()),
            _ => Err(self.damaged("other data follows it in the file")),
        }
    }
}

/// A reader that fails if there is more to be read than is allowed.
struct Limited<'a, R> {
    reader: R,
    /// How many bytes more.
    allowed: &'a Cell<u64>,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let allowed = usize::try_from(self.allowed.get()).unwrap_or(usize::MAX);
        if allowed == 0 && !into.is_empty() {
            // Whether it ends here is only known by reading on.
            return match self.reader.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(io::Error::other("it is longer than its header says")),
            };
        }
        let length = into.len().min(allowed);
        let count = self.reader.read(&mut into[..length])?;
        self.allowed.set(self.allowed.get() - count as u64);
        Ok(count)
    }
}

/// A text from an archive as it can be printed.
fn quoted(text: &[u8]) -> String {
    format!("\"{}\"", shortened(&String::from_utf8_lossy(text), MAX_QUOTED))
}

fn shortened(text: &str, length: usize) -> String {
    let rest = if text.chars().nth(length).is_some() { "…" } else { "" };
    let kept: String = text.chars().take(length).collect();
    format!("{}{rest}", kept.escape_debug())
}
