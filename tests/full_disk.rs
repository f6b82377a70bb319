//! Full disks and disks that cannot be written: a small file system is mounted, which needs root.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::fs::statvfs;

use crate::backup::{names, prepare};
use crate::harness::cli::World;
use crate::harness::http::send;
use crate::harness::{EVENT, long_event, run_service, temp_dir};
use crate::storage::{count, fill, start_without_reserve};

/// A small file system in memory, unmounted when the value is dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path, kib: usize) -> Self {
        let disk = Self(at);
        disk.run(&["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"]);
        disk
    }

    /// Forbids all writes.
    fn forbid_writes(&self) {
        self.run(&["-o", "remount,ro"]);
    }

    fn run(&self, args: &[&str]) {
        let status = Command::new("mount").args(args).arg(self.0).status().unwrap();
        assert!(status.success(), "a tmpfs cannot be mounted: this test needs root");
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
#[ignore = "needs root: run scripts/test"]
fn a_service_refuses_writes_and_accepts_them_when_there_is_room_again() {
    let dir = temp_dir();
    let _disk = SmallDisk::mount(dir.path(), 6 << 10);
    let ballast = dir.path().join("ballast");
    fs::write(&ballast, vec![0; 2 << 20]).unwrap();
    let data = dir.path().join("data");
    let service = start_without_reserve(&data);
    let stored = fill(&service, &long_event()).len();
    assert!(stored > 50, "{stored}");
    assert_eq!(count(&service), stored, "what was stored can be read");
    assert_eq!(send(service.address, "GET", "/readyz", None).status, 200);
    fs::remove_file(&ballast).unwrap();
    let more = fill(&service, &long_event()).len();
    assert!(more > 100, "{more}");
    service.kill();
    fs::write(&ballast, "").unwrap();
    let service = start_without_reserve(&data);
    assert_eq!(count(&service), stored + more);
}

#[test]
#[ignore = "needs root: run scripts/test"]
fn events_are_removed_from_a_full_disk_and_their_room_is_used_again() {
    let dir = temp_dir();
    let _disk = SmallDisk::mount(dir.path(), 32 << 10);
    let service = start_without_reserve(&dir.path().join("data"));
    for _ in 0..2 {
        // The log of recent commits takes a part of so small a disk, now more and now less.
        let stored = fill(&service, &long_event());
        assert!(stored.len() > 200, "{}", stored.len());
        for path in &stored {
            let removed = send(service.address, "DELETE", path, None);
            assert_eq!(removed.status, 200, "{removed:?}");
        }
        assert_eq!(count(&service), 0);
    }
    assert_eq!(service.terminate(), Some(0));
    let service = start_without_reserve(&dir.path().join("data"));
    assert_eq!(send(service.address, "POST", "/events", Some(EVENT)).status, 201);
}

#[test]
#[ignore = "needs root: run scripts/test"]
fn a_disk_that_cannot_be_written_is_named() {
    let dir = temp_dir();
    let disk = SmallDisk::mount(dir.path(), 6 << 10);
    assert_eq!(start_without_reserve(dir.path()).terminate(), Some(0));
    disk.forbid_writes();
    let output = run_service("events", &["--listen", "127.0.0.1:0"], dir.path());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(73), "{stderr}");
    let folder = dir.path().display().to_string();
    assert!(stderr.contains(&format!("{folder} cannot be written")), "{stderr}");
}

#[test]
#[ignore = "needs root: run scripts/test"]
fn a_restore_without_room_says_so_and_leaves_nothing() {
    let world = World::new();
    let folder = world.path().join("disk");
    fs::create_dir(&folder).unwrap();
    let _disk = SmallDisk::mount(&folder, 256);
    let file = folder.join("prepared.backup");
    let restore = ["restore", "disk/prepared.backup", "--local", "--yes"];
    prepare(&file, "events", &vec![0; 200 << 10]);
    let refused = world.run(&restore);
    world.assert_shown("backup", "restore-of-more-than-the-disk", &refused);
    assert_eq!(names(&folder), ["prepared.backup"]);

    // Files take whole pages: both copies fit by the sum of their bytes, and do not.
    prepare(&file, "events", &vec![0; (40 << 10) + 1]);
    let free = || statvfs(&folder).unwrap().f_bavail * statvfs(&folder).unwrap().f_frsize;
    let ballast = usize::try_from(free()).unwrap() - (84 << 10);
    fs::write(folder.join("ballast"), vec![0; ballast]).unwrap();
    assert_eq!(free(), 84 << 10, "this test needs pages of 4 KiB");
    let failed = world.run(&restore);
    world.assert_shown("backup", "restore-on-a-disk-that-fills-up", &failed);
    assert_eq!(names(&folder), ["ballast", "prepared.backup"]);
}
