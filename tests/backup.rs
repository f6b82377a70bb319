//! Backups of damaged data and restores of prepared archives, with the real programs.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::harness::cli::World;
use crate::harness::http::send;
use crate::harness::{EVENT, Service};

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Writes a backup that is consistent in itself, with a copy of `service` and another one.
pub(crate) fn prepare(file: &Path, service: &str, copy: &[u8]) {
    let services = [service, "notifications"];
    let digits = Sha256::digest(copy).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>();
    let sha256 = digits.concat();
    let parts =
        services.map(|service| json!({"service": service, "bytes": copy.len(), "sha256": sha256}));
    let manifest = json!({
        "version": 1,
        "stack": "test",
        "created": "2026-01-01T00:00:00Z",
        "services": parts,
    });
    let manifest = manifest.to_string();
    let copies = services.map(|service| (format!("{service}.copy"), copy));
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in [("manifest.json".into(), manifest.as_bytes())].into_iter().chain(copies) {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        archive.append(&header, bytes).unwrap();
    }
    let bytes = archive.into_inner().unwrap().finish().unwrap();
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_prepared_backup_is_refused_before_anything_is_written_or_asked() {
    let world = World::new();
    let file = world.path().join("prepared.backup");
    let escaped = format!("{}-escaped", world.path().file_name().unwrap().to_str().unwrap());
    // Without --yes, a question would be the answer, and exit code 2.
    let restore = ["restore", "prepared.backup", "--local"];
    for service in [format!("../{escaped}"), format!("../../{escaped}"), format!("/tmp/{escaped}")]
    {
        prepare(&file, &service, b"");
        let before = names(world.path());
        let refused = world.run(&restore);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("prepared.backup is not a complete backup"), "{refused:?}");
        assert_eq!(names(world.path()), before, "{service}");
        for folder in [world.path().parent().unwrap(), Path::new("/tmp")] {
            assert!(!folder.join(format!("{escaped}.copy")).exists(), "{service}");
        }
    }
    // The archive is good, and a copy in it is not.
    prepare(&file, "events", b"");
    let before = names(world.path());
    let refused = world.run(&restore);
    world.assert_shown("backup", "restore-of-a-broken-copy", &refused);
    assert_eq!(names(world.path()), before);
}

#[test]
fn damaged_data_are_not_backed_up_and_the_backup_of_before_stays() {
    let world = World::new();
    for service in ["events", "notifications"] {
        let service = Service::start(service, &world.data(service));
        for _ in 0..2 {
            send(service.address, "POST", "/events", Some(EVENT));
        }
        assert_eq!(service.terminate(), Some(0));
    }
    let file = world.path().join("data.backup");
    let backup = ["backup", "data.backup", "--local"];
    world.run(&backup).succeeded();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (before, listed) = (fs::read(&file).unwrap(), names(world.path()));

    let data = world.data("events").join("data.sqlite");
    let bytes = fs::read(&data).unwrap();
    let at = bytes.windows(20).position(|it| it == [b'd'; 20]).unwrap();
    let data = fs::File::options().write(true).open(data).unwrap();
    data.write_all_at(b"e", at as u64).unwrap();
    let failed = world.run(&backup);
    world.assert_shown("backup", "backup-of-damaged-data", &failed);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(names(world.path()), listed, "nothing unfinished is left");
}
