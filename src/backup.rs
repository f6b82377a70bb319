//! Reads and writes backup archives: one file with a copy of each service's data, and the
//! checksums by which it is known to be whole.
//!
//! An archive is a gzipped tar file: `manifest.json` first, then `SERVICE.copy` for each
//! service, in the format that the service's own `backup` writes. Anybody may have made an
//! archive that is to be restored, so [`unpack`] checks names and sizes before it writes.

mod read;
#[cfg(test)]
mod tests;

use std::fs::{File, Permissions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use support::digest::hexadecimal;

pub use read::{unpack, verify};

const MANIFEST: &str = "manifest.json";
const VERSION: u32 = 1;

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
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A copy cannot be written, usually because the disk is full.
    #[error(
        "{path} cannot be written: {source}. Nothing was changed: free some space on its disk, or \
         use a backup file on another disk"
    )]
    Unwritable {
        /// The copy.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The copies do not fit on the disk.
    #[error(
        "{path} holds {needed} bytes of data, and the disk of {folder} has {free} bytes free. \
         Nothing was changed: free some space, or move the backup to a larger disk"
    )]
    NoSpace {
        /// The backup.
        path: PathBuf,
        /// The folder that the copies go to.
        folder: PathBuf,
        /// The bytes of all copies.
        needed: u64,
        /// The bytes that are free.
        free: u64,
    },
    /// The file is not a backup, or it is damaged.
    #[error("{path} is not a complete backup: {why}. Nothing was changed")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is a backup of other services than the configured ones.
    #[error("{path} is a backup of {services}, which are not the services configured")]
    OtherServices {
        /// The file.
        path: PathBuf,
        /// The services in it.
        services: String,
    },
    /// A copy that was just taken cannot be restored.
    #[error(
        "{service}: the copy that was taken cannot be restored: {why}. No backup was written{hint}"
    )]
    BadCopy {
        /// The service.
        service: String,
        /// What is wrong with the copy.
        why: String,
        /// What to do about it, as the end of the sentence.
        hint: &'static str,
    },
    /// A backup that was just written cannot be read.
    #[error(
        "{path} was written but cannot be read back: {why}. No backup was kept: check the \
         disk, and run `eventpost backup` again"
    )]
    Unverified {
        /// The file that was asked for.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Counts and hashes the bytes of a copy, and writes them to a file if there is one.
#[derive(Debug)]
pub struct CopyWriter {
    file: Option<(PathBuf, File)>,
    digest: Sha256,
    bytes: u64,
}

impl CopyWriter {
    /// Creates the file of a service's copy in a folder. Fails if there is one already.
    pub fn create(folder: &Path, service: &str) -> Result<Self, BackupError> {
        let path = copy_in(folder, service);
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|source| unwritable(&path, source))?;
        Ok(Self { file: Some((path, file)), ..Self::without_file() })
    }

    fn without_file() -> Self {
        Self { file: None, digest: Sha256::new(), bytes: 0 }
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        match &mut self.file {
            Some((path, file)) => file.write_all(bytes).map_err(|source| unwritable(path, source)),
            None => Ok(()),
        }
    }

    /// Returns what was counted and hashed.
    pub fn finish(self, service: &str) -> Part {
        let sha256 = hexadecimal(&self.digest.finalize());
        Part { service: service.into(), bytes: self.bytes, sha256 }
    }
}

impl Write for CopyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
    // The reader takes regular entries only.
    archive.sparse(false);
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

/// Checks that the copy of a service in a folder can be restored.
pub fn check_copy(folder: &Path, service: &str) -> Result<(), String> {
    let copy = File::open(copy_in(folder, service)).map_err(|error| error.to_string())?;
    let verified = store::backup::verify(&mut BufReader::new(copy), Some(service));
    verified.map(drop).map_err(|error| error.to_string())
}

/// Reads to the end in chunks, or until `take` fails.
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

/// A folder for copies beside a file, so that both are on one disk. Only its owner can use
/// it, and it is removed with the value.
pub fn folder_beside(file: &Path) -> Result<tempfile::TempDir, BackupError> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".eventpost-").permissions(Permissions::from_mode(0o700));
    builder.tempdir_in(parent).map_err(|source| io_error(parent, source))
}

fn io_error(path: &Path, source: io::Error) -> BackupError {
    BackupError::Io { path: path.into(), source }
}

fn unwritable(path: &Path, source: io::Error) -> BackupError {
    BackupError::Unwritable { path: path.into(), source }
}
