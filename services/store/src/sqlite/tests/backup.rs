//! Backups and what is restored from them.

use std::time::Duration;

use super::*;
use crate::sqlite::{back_up_folder, restore};
use crate::{BackupError, BackupSummary, DeliveryState, Search, StateName, backup};

const JSON: Settings = Settings { facts: json_facts, ..SETTINGS };

/// What follows from documents that are as services write them: the text is a member.
fn json_facts(document: &[u8]) -> Facts {
    let value: serde_json::Value = serde_json::from_slice(document).unwrap();
    facts(value["text"].as_str().unwrap().as_bytes())
}

fn json(n: u32, text: &str) -> Document {
    Document::new(id(n), format!(r#"{{"id": "{}", "text": "{text}"}}"#, id(n)))
}

async fn put(store: &SqliteStore, n: u32, text: &str) {
    let facts = facts(text.as_bytes());
    store.write(Write::Insert { document: json(n, text), facts }).await.unwrap();
}

async fn filled() -> Fixture {
    let fixture = Fixture::with(JSON);
    for n in 1..=40 {
        put(&fixture.store, n, &format!("{n}|{n}|word{n} all|place|topic|a@b.org|{n}")).await;
    }
    let claims = fixture.store.claim(2, Duration::from_secs(60)).await.unwrap();
    let sent = DeliveryState::Sent { time: 7, attempts: 1 };
    fixture.store.settle(&claims[0], sent).await.unwrap();
    fixture.store.start_sending(Duration::from_secs(1 << 40)).await.unwrap();
    fixture
}

fn back_up(store: &SqliteStore) -> (Vec<u8>, BackupSummary) {
    let mut out = Vec::new();
    let summary = store.back_up(&mut out).unwrap();
    (out, summary)
}

#[tokio::test]
async fn a_restored_store_has_what_was_backed_up() {
    let fixture = filled().await;
    let (backup, summary) = back_up(&fixture.store);
    assert_eq!((summary.documents, summary.deliveries), (40, 40));
    assert_eq!(backup::verify(&mut backup.as_slice(), Some("events")).unwrap(), summary);
    let folder = tempfile::tempdir().unwrap();
    let restored = restore(folder.path(), &JSON, &mut backup.as_slice(), false).unwrap();
    assert_eq!(restored, summary);
    let store = SqliteStore::open(folder.path(), &JSON).unwrap();
    let state = async |n| store.delivery(id(n)).await.unwrap().unwrap().1.unwrap().state;
    assert_eq!(state(1).await, DeliveryState::Sent { time: 7, attempts: 1 });
    assert!(matches!(state(2).await, DeliveryState::Scheduled { .. }));
    assert_eq!(state(3).await, DeliveryState::Scheduled { due: 3, failures: None });
    let search = Search { words: vec!["word7".into()], limit: 9, ..Search::default() };
    let found = store.search(search).await.unwrap().unwrap();
    assert_eq!(found.documents, [json(7, "7|7|word7 all|place|topic|a@b.org|7")]);
    // Mails were sent before: nothing that is overdue expires.
    store.start_sending(Duration::ZERO).await.unwrap();
    assert!(matches!(state(3).await, DeliveryState::Scheduled { .. }));
    assert_eq!(store.statistics().documents, 40);
    store.check_file().unwrap();
    let again = back_up(&store).1;
    assert_eq!((again.documents, again.deliveries), (40, 40));
}

#[tokio::test]
async fn an_older_backup_has_no_mail_sent_again() {
    let Fixture { store, folder } = filled().await;
    let (backup, _) = back_up(&store);
    for claim in store.claim(3, Duration::from_secs(60)).await.unwrap() {
        let sent = DeliveryState::Sent { time: 8, attempts: 2 };
        assert!(store.settle(&claim, sent).await.unwrap());
    }
    // This one was replaced since: the backup's mail is another, which was not sent.
    put(&store, 4, "4|4|another|place|topic|a@b.org|4").await;
    store.close().await.unwrap();
    drop(store);
    restore(folder.path(), &JSON, &mut backup.as_slice(), true).unwrap();
    let store = SqliteStore::open(folder.path(), &JSON).unwrap();
    let sent = async |n| match store.delivery(id(n)).await.unwrap().unwrap().1.unwrap().state {
        DeliveryState::Sent { time, .. } => Some(time),
        _ => None,
    };
    let times = [sent(1).await, sent(3).await, sent(4).await, sent(5).await, sent(6).await];
    assert_eq!(times, [Some(7), Some(8), None, Some(8), None]);
    assert_eq!(store.statistics().deliveries[2], (StateName::Sent, 3));

    // A database that cannot be read keeps no backup from being restored.
    drop(store);
    std::fs::write(folder.path().join("data.sqlite"), "rubbish").unwrap();
    restore(folder.path(), &JSON, &mut backup.as_slice(), true).unwrap();
    let store = SqliteStore::open(folder.path(), &JSON).unwrap();
    assert_eq!(store.statistics().deliveries[2], (StateName::Sent, 1));
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
async fn a_backup_shows_one_state_whatever_is_written_meanwhile() {
    /// Changes a store while its backup is written.
    struct Out<'a>(&'a SqliteStore, u32, Vec<u8>);
    impl std::io::Write for Out<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.1 += 1;
            drop(self.0.write(Write::Remove { id: id(self.1), condition: Condition::default() }));
            self.2.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let fixture = filled().await;
    let mut out = Out(&fixture.store, 0, Vec::new());
    let summary = fixture.store.back_up(&mut out).unwrap();
    assert_eq!((summary.documents, summary.deliveries), (40, 40));
    assert_eq!(backup::verify(&mut out.2.as_slice(), None).unwrap(), summary);
    fixture.store.close().await.unwrap();
    assert_eq!(fixture.store.statistics().documents, 0);
}

#[tokio::test]
async fn what_is_no_whole_backup_replaces_nothing() {
    let (other, fixture) = (filled().await, Fixture::with(JSON));
    let (backup, _) = back_up(&other.store);
    put(&fixture.store, 1, "1|1|mine|place|topic").await;
    let Fixture { store, folder } = fixture;
    store.close().await.unwrap();
    drop(store);
    let try_with = |backup: &[u8], replace| {
        let mut input = backup;
        restore(folder.path(), &JSON, &mut input, replace)
    };
    let refused = try_with(&backup, false);
    assert!(matches!(refused, Err(BackupError::Exists(_))), "{refused:?}");
    let cut_off = try_with(&backup[..backup.len() - 1], true);
    assert!(matches!(cut_off, Err(BackupError::CutOff { .. })), "{cut_off:?}");
    let mut flipped = backup.clone();
    flipped[backup.len() / 2] ^= 1;
    assert!(try_with(&flipped, true).is_err());
    let store = SqliteStore::open(folder.path(), &JSON).unwrap();
    assert_eq!(store.statistics().documents, 1);
    drop(store);
    try_with(&backup, true).unwrap();
    let names = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["data.sqlite", "spare"]);
    assert_eq!(SqliteStore::open(folder.path(), &JSON).unwrap().statistics().documents, 40);
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
    assert_eq!(fixture.store.statistics().documents, 41);
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
