//! Archives for the tests of backups, made without any check.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::digest::hexadecimal;
use tar::EntryType;

use super::super::{BackupError, CopyWriter, MANIFEST, Manifest, Part, copy_in, pack, unpack};

pub(super) const BOTH: &[&str] = &["events", "notifications"];

pub(super) fn backup(folder: &Path) -> PathBuf {
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

/// What a manifest says of the copy of a service in a folder.
pub(super) fn part_of(folder: &Path, service: &str) -> Part {
    let copy = fs::read(copy_in(folder, service)).unwrap();
    let sha256 = hexadecimal(&Sha256::digest(&copy));
    Part { service: service.into(), bytes: copy.len() as u64, sha256 }
}

/// An entry of an archive that is written with no check at all.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: EntryType,
    pub(super) data: Vec<u8>,
}

pub(super) fn file(name: &str, data: impl Into<Vec<u8>>) -> Entry {
    Entry { name: name.into(), kind: EntryType::Regular, data: data.into() }
}

pub(super) fn link(kind: EntryType, name: &str) -> Entry {
    Entry { kind, ..file(name, "") }
}

/// What a manifest says of the copies "one" and "two", by these names.
pub(super) fn manifest(services: [&str; 2]) -> Value {
    let part = |service, text: &str| {
        let sha256 = hexadecimal(&Sha256::digest(text));
        json!({"service": service, "bytes": text.len(), "sha256": sha256})
    };
    let parts = [part(services[0], "one"), part(services[1], "two")];
    json!({"version": 1, "stack": "s", "created": "2026-01-01T00:00:00Z", "services": parts})
}

/// The entries of a good archive after its manifest.
pub(super) fn copies() -> Vec<Entry> {
    vec![file("events.copy", "one"), file("notifications.copy", "two")]
}

pub(super) fn tar(manifest: &Value, entries: Vec<Entry>) -> Vec<u8> {
    let first = file(MANIFEST, manifest.to_string());
    let mut archive = tar::Builder::new(Vec::new());
    for entry in [first].into_iter().chain(entries) {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..entry.name.len()].copy_from_slice(entry.name.as_bytes());
        header.set_entry_type(entry.kind);
        header.set_size(entry.data.len() as u64);
        if matches!(entry.kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_mode(0o600);
        header.set_cksum();
        archive.append(&header, entry.data.as_slice()).unwrap();
    }
    archive.into_inner().unwrap()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder that a backup is unpacked into, in a folder with nothing else.
pub(super) struct Target {
    pub(super) outer: tempfile::TempDir,
    pub(super) folder: PathBuf,
}

impl Target {
    pub(super) fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("target");
        fs::create_dir(&folder).unwrap();
        Self { outer, folder }
    }

    pub(super) fn unpack(&self, bytes: &[u8]) -> Result<Manifest, BackupError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        unpack(file.path(), BOTH, &self.folder)
    }

    pub(super) fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    }
}

/// Unpacks an archive that must be refused with nothing written.
pub(super) fn refused(archive: &[u8]) -> String {
    let target = Target::new();
    let error = target.unpack(&gzip(archive)).unwrap_err();
    assert_eq!(Target::names(&target.folder), [""; 0], "{error}");
    assert_eq!(Target::names(target.outer.path()), ["target"], "{error}");
    error.to_string()
}

/// As [`refused`], for what is wrong only after the copies.
pub(super) fn refused_at_the_end(file: &[u8]) -> String {
    let target = Target::new();
    let error = target.unpack(file).unwrap_err();
    assert_eq!(Target::names(target.outer.path()), ["target"], "{error}");
    error.to_string()
}
