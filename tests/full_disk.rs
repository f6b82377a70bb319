//! Full disks: a small file system is mounted, which needs root.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::fs::statvfs;

use crate::backup::{names, prepare};
use crate::harness::cli::World;
use crate::harness::http::send;
use crate::harness::{Service, temp_dir};
use crate::storage::{count, fill};

/// A file system of 256 KiB, unmounted when the value is dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Self {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(at)
            .status()
            .unwrap();
        assert!(status.success(), "a tmpfs cannot be mounted: this test needs root");
        Self(at)
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
    let _disk = SmallDisk::mount(dir.path());
    let ballast = dir.path().join("ballast");
    fs::write(&ballast, vec![0; 100 << 10]).unwrap();
    let service = Service::start("events", &dir.path().join("data"));
    let stored = fill(&service);
    assert!(stored > 100, "{stored}");
    assert_eq!(count(&service), stored, "what was stored can be read");
    assert_eq!(send(service.address, "GET", "/readyz", None).status, 200);
    fs::remove_file(&ballast).unwrap();
    let more = fill(&service);
    assert!(more > 100, "{more}");
    service.kill();
    fs::write(&ballast, "").unwrap();
    let service = Service::start("events", &dir.path().join("data"));
    assert_eq!(count(&service), stored + more);
}

#[test]
#[ignore = "needs root: run scripts/test"]
fn a_restore_without_room_says_so_and_leaves_nothing() {
    let world = World::new();
    let folder = world.path().join("disk");
    fs::create_dir(&folder).unwrap();
    let _disk = SmallDisk::mount(&folder);
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
