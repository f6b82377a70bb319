//! Full disks. They are small file systems in memory, which root alone can mount.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::DeliveryState;

/// A small disk, until it is dropped.
struct Disk(TempDir);

impl Disk {
    /// None, and a message, without the right to mount one.
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "small"]);
        let mounted = mount.arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        #[expect(clippy::print_stderr, reason = "whoever runs the tests is to see it")]
        {
            eprintln!("SKIPPED: a full disk needs root, to mount a small one");
        }
        None
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// A file that leaves no room on the disk.
fn fill_with_another(disk: &Disk) -> std::path::PathBuf {
    let path = disk.0.path().join("other");
    let mut file = std::fs::File::create(&path).unwrap();
    while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
    path
}

/// Writes until the disk is full. Returns how many were stored.
async fn fill(store: &SqliteStore, length: usize) -> u32 {
    for n in 0.. {
        let text = format!("{n}|{n}|{}|place|topic", "word ".repeat(length / 5));
        match store.write(insert(n, &text)).await {
            Ok(_) => {}
            Err(StoreError::Full { .. }) => return n,
            Err(error) => panic!("{error:?} after {n}"),
        }
    }
    unreachable!("every disk is full at last")
}

#[tokio::test]
async fn a_full_disk_refuses_what_needs_room_and_nothing_else() {
    let Some(disk) = Disk::mount(32) else { return };
    let store = SqliteStore::open(disk.0.path(), &SETTINGS).unwrap();
    let count = fill(&store, 20_000).await;
    assert!(count > 100, "{count}");
    assert!(store.get(id(0)).await.unwrap().is_some());
    let remove = |n| Write::Remove { id: id(n), condition: Condition::default() };
    for n in 0..count {
        let removed = store.write(remove(n)).await;
        assert!(matches!(removed, Ok(WriteOutcome::Done(Some(_)))), "{n}: {removed:?}");
    }
    assert_eq!(store.check(), Ok(()));
    // The room of what was removed is used again, without a restart.
    assert!(fill(&store, 20_000).await > 100);
    store.check_file().unwrap();
    drop(store);
    SqliteStore::open(disk.0.path(), &SETTINGS).unwrap().check_file().unwrap();
}

#[tokio::test]
async fn a_disk_that_something_else_fills_and_leaves_is_used_again() {
    let Some(disk) = Disk::mount(32) else { return };
    let store = Arc::new(SqliteStore::open(disk.0.path(), &SETTINGS).unwrap());
    store.write(insert(0, "0|0|before|place|topic")).await.unwrap();
    let other = fill_with_another(&disk);
    let text = "1|1|".to_owned() + &"new ".repeat(2000);
    let refused: Vec<_> = (1..50).map(|n| store.write(insert(n, &text))).collect();
    let mut full = 0;
    for write in refused {
        match write.await {
            Ok(_) => {}
            Err(StoreError::Full { .. }) => full += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(full > 0);
    assert!(store.get(id(0)).await.unwrap().is_some());
    let remove = Write::Remove { id: id(0), condition: Condition::default() };
    assert!(store.write(remove).await.is_ok());
    std::fs::remove_file(other).unwrap();
    for n in 100..150 {
        store.write(insert(n, &text)).await.unwrap();
    }
    store.check_file().unwrap();
}

#[tokio::test]
async fn a_store_opens_on_a_full_disk() {
    let Some(disk) = Disk::mount(32) else { return };
    let spare = disk.0.path().join("spare");
    let store = SqliteStore::open(disk.0.path(), &SETTINGS).unwrap();
    let text = "0|0|text|place|topic|a@b.org|10";
    store.write(insert(0, text)).await.unwrap();
    assert_eq!(store.claim(1, Duration::from_secs(60)).await.unwrap().len(), 1);
    drop(store);
    fill_with_another(&disk);
    assert!(spare.exists());
    let store = SqliteStore::open(disk.0.path(), &SETTINGS).unwrap();
    assert!(!spare.exists());
    assert!(store.get(id(0)).await.unwrap().is_some());
    let remove = Write::Remove { id: id(0), condition: Condition::default() };
    assert!(store.write(remove).await.is_ok());
}

#[tokio::test]
async fn a_sent_mail_is_recorded_on_a_full_disk() {
    let Some(disk) = Disk::mount(32) else { return };
    let store = SqliteStore::open(disk.0.path(), &SETTINGS).unwrap();
    let count: u32 = 40;
    for n in 0..count {
        store.write(insert(n, &format!("{n}|{n}|text|place|topic|a@b.org|{n}"))).await.unwrap();
    }
    let claims = store.claim(count as usize, Duration::from_secs(600)).await.unwrap();
    assert_eq!(claims.len(), count as usize);
    fill_with_another(&disk);
    // What is left in the log is used up too.
    fill(&store, 20_000).await;
    for claim in &claims {
        let sent = DeliveryState::Sent { time: 7, attempts: 1 };
        assert_eq!(store.settle(claim, sent).await, Ok(true));
    }
    let (_, delivery) = store.delivery(id(0)).await.unwrap().unwrap();
    assert!(matches!(delivery.unwrap().state, DeliveryState::Sent { .. }));
}
