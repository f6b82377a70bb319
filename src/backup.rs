//! This module owns backups: one file with a copy of each service's data, and the
//! checksums by which it is known to be whole.
//!
//! It is a gzipped tar archive: `manifest.json` first, then `SERVICE.copy` for each service,
//! in the format that the service's own `backup` writes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::digest::hexadecimal;

const MANIFEST: &str = "manifest.json";
const VERSION: u32 = 1;
/// No manifest is longer.
const MOST_MANIFEST: u64 = 1 << 20;

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's version.
    pub version: u32,
    /// The stack.
    pub stack: String,
    /// When it was made (RFC 3339, UTC).
    pub created: String,
    /// The services.
    pub services: Vec<Part>,
}

/// A service's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The service.
    pub service: String,
    /// Bytes of its copy.
    pub bytes: u64,
    /// SHA-256 of its copy, in hexadecimal.
    pub sha256: String,
}

/// Why a backup could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is none, or not whole.
    #[error("{path} is no whole backup: {why}. Nothing was changed")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Writes a copy's bytes to a file, and counts and sums them up meanwhile.
#[derive(Debug)]
pub struct CopyWriter {
    path: PathBuf,
    file: File,
    digest: Sha256,
    bytes: u64,
}

impl CopyWriter {
    /// Begins a service's copy in a folder.
    pub fn create(folder: &Path, service: &str) -> Result<Self, BackupError> {
        let path = copy_in(folder, service);
        let file = File::create(&path).map_err(|source| io_error(&path, source))?;
        Ok(Self { path, file, digest: Sha256::new(), bytes: 0 })
    }

    /// Adds to it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|source| io_error(&self.path, source))
    }

    /// Ends it.
    pub fn finish(self, service: &str) -> Part {
        let sha256 = hexadecimal(&self.digest.finalize());
        Part { service: service.into(), bytes: self.bytes, sha256 }
    }
}

/// The file of a service's copy in a folder.
pub fn copy_in(folder: &Path, service: &str) -> PathBuf {
    folder.join(format!("{service}.copy"))
}

/// Packs the copies that are in a folder.
pub fn pack(
    stack: &str,
    created: String,
    services: Vec<Part>,
    folder: &Path,
    to: &mut File,
) -> io::Result<()> {
    let manifest = Manifest { version: VERSION, stack: stack.into(), created, services };
    let mut archive = tar::Builder::new(GzEncoder::new(to, Compression::fast()));
    let text = serde_json::to_vec_pretty(&manifest)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    archive.append_data(&mut header, MANIFEST, text.as_slice())?;
    for part in &manifest.services {
        let path = copy_in(folder, &part.service);
        archive.append_path_with_name(&path, path.file_name().unwrap_or_default())?;
    }
    archive.into_inner()?.finish()?.sync_all()
}

/// Unpacks a backup into a folder, and sees that every copy is there as it was made.
pub fn unpack(file: &Path, folder: &Path) -> Result<Manifest, BackupError> {
    let damaged = |why: String| BackupError::Damaged { path: file.into(), why };
    let open = File::open(file).map_err(|source| io_error(file, source))?;
    let mut archive = tar::Archive::new(GzDecoder::new(open));
    let mut entries = archive.entries().map_err(|error| damaged(error.to_string()))?;
    let mut next = || match entries.next() {
        Some(entry) => entry.map_err(|error| damaged(error.to_string())),
        None => Err(damaged("it ends too early".into())),
    };
    let mut text = Vec::new();
    let read = next()?.take(MOST_MANIFEST).read_to_end(&mut text);
    read.map_err(|error| damaged(error.to_string()))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| damaged(format!("{MANIFEST}: {error}")))?;
    if manifest.version != VERSION {
        let version = manifest.version;
        return Err(damaged(format!("its version is {version}, and this program reads {VERSION}")));
    }
    for part in &manifest.services {
        let mut writer = CopyWriter::create(folder, &part.service)?;
        let read = each_chunk(&mut next()?, |bytes| writer.push(bytes));
        read.map_err(|error| damaged(error.to_string()))??;
        if writer.finish(&part.service) != *part {
            return Err(damaged(format!("the copy of {} is not as it was made", part.service)));
        }
    }
    // What follows has the checksum of the whole.
    let rest = io::copy(&mut archive.into_inner(), &mut io::sink());
    rest.map_err(|error| damaged(error.to_string()))?;
    Ok(manifest)
}

/// Sums up a copy that is a file already.
pub fn part_of(folder: &Path, service: &str) -> Result<Part, BackupError> {
    let path = copy_in(folder, service);
    let (mut digest, mut bytes) = (Sha256::new(), 0);
    let add = |chunk: &[u8]| {
        digest.update(chunk);
        bytes += chunk.len() as u64;
        Ok::<_, BackupError>(())
    };
    let read = File::open(&path).and_then(|mut file| each_chunk(&mut file, add));
    read.map_err(|source| io_error(&path, source))??;
    Ok(Part { service: service.into(), bytes, sha256: hexadecimal(&digest.finalize()) })
}

/// Takes what can be read piece by piece, until that fails.
fn each_chunk<E>(
    from: &mut impl Read,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> io::Result<Result<(), E>> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(Ok(()));
        }
        if let Err(error) = take(&buffer[..count]) {
            return Ok(Err(error));
        }
    }
}

/// A folder for copies beside a file, so that both are on one disk; it goes with the value.
pub fn folder_beside(file: &Path) -> Result<tempfile::TempDir, BackupError> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let folder = tempfile::Builder::new().prefix(".eventpost-").tempdir_in(parent);
    folder.map_err(|source| io_error(parent, source))
}

fn io_error(path: &Path, source: io::Error) -> BackupError {
    BackupError::Io { path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn backup(folder: &Path) -> PathBuf {
        let mut parts = Vec::new();
        for (service, text) in [("events", "one"), ("notifications", "two")] {
            let mut writer = CopyWriter::create(folder, service).unwrap();
            writer.push(text.as_bytes()).unwrap();
            parts.push(writer.finish(service));
        }
        let file = folder.join("backup");
        let mut open = File::create(&file).unwrap();
        pack("s", "2026-01-01T00:00:00Z".into(), parts, folder, &mut open).unwrap();
        file
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let manifest = unpack(&backup(from.path()), to.path()).unwrap();
        assert_eq!(manifest.stack, "s");
        assert_eq!(manifest.services[1], part_of(from.path(), "notifications").unwrap());
        assert_eq!(fs::read(copy_in(to.path(), "events")).unwrap(), b"one");
    }

    #[test]
    fn a_backup_that_is_cut_or_changed_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = backup(dir.path());
        let whole = fs::read(&file).unwrap();
        for length in [0, 10, whole.len() / 2, whole.len() - 9] {
            fs::write(&file, &whole[..length]).unwrap();
            let into = tempfile::tempdir().unwrap();
            let error = unpack(&file, into.path()).unwrap_err().to_string();
            assert!(error.contains("is no whole backup"), "{length}: {error}");
        }
        // A copy that was changed, and packed anew.
        let mut parts = vec![part_of(dir.path(), "events").unwrap()];
        parts[0].sha256 = "0".repeat(64);
        let mut open = File::create(&file).unwrap();
        pack("s", String::new(), parts, dir.path(), &mut open).unwrap();
        let error = unpack(&file, dir.path()).unwrap_err().to_string();
        assert!(error.contains("the copy of events is not as it was made"), "{error}");
    }
}
