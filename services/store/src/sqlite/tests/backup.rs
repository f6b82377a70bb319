//! Backups beside a store in use, and the files of a restore.

use super::*;
use crate::conformance::backup::{JSON, fill, put};
use crate::sqlite::{back_up_folder, restore};
use crate::{BackupError, BackupSummary, StateName};

async fn filled() -> Fixture {
    let fixture = Fixture::with(JSON);
    fill(&fixture.store).await;
    fixture
}

fn back_up(store: &SqliteStore) -> (Vec<u8>, BackupSummary) {
    let mut out = Vec::new();
    let summary = store.back_up(&mut out).unwrap();
    (out, summary)
}

#[tokio::test]
async fn a_database_that_cannot_be_read_keeps_no_backup_from_being_restored() {
    let Fixture { store, folder } = filled().await;
    let (backup, _) = back_up(&store);
    drop(store);
    std::fs::write(folder.path().join("data.sqlite"), "rubbish").unwrap();
    restore(folder.path(), &JSON, &mut backup.as_slice(), true).unwrap();
    let store = SqliteStore::open(folder.path(), &JSON).unwrap();
    assert_eq!(store.statistics().await.deliveries[2], (StateName::Sent, 1));
    store.check_file().unwrap();
}

#[tokio::test]
async fn a_store_in_use_is_backed_up_from_beside_it() {
    let fixture = filled().await;
    let mut out = Vec::new();
    let summary = back_up_folder(fixture.path(), "events", &mut out).unwrap();
    assert_eq!(summary, back_up(&fixture.store).1);
    let other = back_up_folder(fixture.path(), "notifications", &mut Vec::new());
    assert!(matches!(other, Err(BackupError::Store(StoreError::Foreign { .. }))), "{other:?}");
    put(&fixture.store, 99, "99|1|new|place|topic").await;
    let Fixture { store, folder } = fixture;
    drop(store);
    assert_eq!(back_up_folder(folder.path(), "events", &mut out).unwrap().documents, 41);
}

#[tokio::test]
async fn a_restore_leaves_no_files_of_its_own() {
    let Fixture { store, folder } = filled().await;
    let (backup, _) = back_up(&store);
    drop(store);
    let cut_off = &backup[..backup.len() - 1];
    assert!(restore(folder.path(), &JSON, &mut &*cut_off, true).is_err());
    restore(folder.path(), &JSON, &mut backup.as_slice(), true).unwrap();
    let names = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["data.sqlite", "spare"]);
}

#[tokio::test]
async fn what_a_restore_that_was_killed_has_left_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["", "-wal", "-shm", "-journal"] {
        std::fs::write(folder.path().join(format!("data.restoring{ending}")), "half").unwrap();
    }
    drop(SqliteStore::open(folder.path(), &JSON).unwrap());
    let names = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name());
    for name in names {
        assert!(!name.to_str().unwrap().starts_with("data.restoring"), "{name:?}");
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_moved_to_its_file_keeps_the_data() {
    let (fixture, other) = (filled().await, Fixture::with(JSON));
    let (backup, _) = back_up(&other.store);
    // A program that reads an old state keeps the log in use.
    let reader = rusqlite::Connection::open(fixture.path().join("data.sqlite")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM totals;").unwrap();
    put(&fixture.store, 41, "41|41|last|place|topic").await;
    let refused = restore(fixture.path(), &JSON, &mut backup.as_slice(), true);
    assert!(matches!(refused, Err(BackupError::Store(StoreError::Locked { .. }))), "{refused:?}");
    drop(reader);
    let fixture = fixture.reopened();
    assert_eq!(fixture.store.statistics().await.documents, 41);
}

#[tokio::test]
async fn large_documents_are_restored_in_several_transactions() {
    let fixture = Fixture::with(JSON);
    let text = "word ".repeat(100_000);
    for n in 1..=20 {
        put(&fixture.store, n, &format!("{n}|{n}|{text}|place|topic")).await;
    }
    let (backup, summary) = back_up(&fixture.store);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(restore(folder.path(), &JSON, &mut backup.as_slice(), false).unwrap(), summary);
    let path = folder.path().join("data.sqlite");
    let commits = "SELECT commits FROM totals";
    let connection = rusqlite::Connection::open(path).unwrap();
    let commits: u32 = connection.query_row(commits, [], |row| row.get(0)).unwrap();
    assert_eq!(commits, 3);
}
