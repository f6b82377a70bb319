//! Backups, and what is restored from them, into the same engine or another.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::{DeliveryState, Search, backup};

pub(crate) const JSON: Settings = Settings { facts: json_facts, ..SETTINGS };

of_every_engine! {
    a_restored_store_has_what_was_backed_up,
    an_older_backup_has_no_mail_sent_again,
    what_is_no_whole_backup_replaces_nothing,
    a_backup_shows_one_state_whatever_is_written_meanwhile,
}

/// What follows from documents that are as services write them: the text is a member.
fn json_facts(document: &[u8]) -> Facts {
    let value: serde_json::Value = serde_json::from_slice(document).unwrap();
    facts(value["text"].as_str().unwrap().as_bytes())
}

pub(crate) fn json(n: u32, text: &str) -> Document {
    Document::new(id(n), format!(r#"{{"id": "{}", "text": "{text}"}}"#, id(n)))
}

pub(crate) async fn put(store: &dyn Store, n: u32, text: &str) {
    let facts = facts(text.as_bytes());
    store.write(Write::Insert { document: json(n, text), facts }).await.unwrap();
}

/// Forty documents with mails, of which the first was sent and the second is being sent.
pub(crate) async fn fill(store: &dyn Store) {
    for n in 1..=40 {
        put(store, n, &format!("{n}|{n}|word{n} all|place|topic|a@b.org|{n}")).await;
    }
    let claims = store.claim(2, Duration::from_secs(60)).await.unwrap();
    let sent = DeliveryState::Sent { time: 7, attempts: 1 };
    store.settle(&claims[0], sent).await.unwrap();
    store.start_sending(Duration::from_secs(1 << 40)).await.unwrap();
}

async fn filled(engine: Engine) -> Fixture {
    let fixture = Fixture::with(engine, JSON).await;
    fill(&*fixture.store).await;
    fixture
}

async fn state(fixture: &Fixture, n: u32) -> DeliveryState {
    fixture.store.delivery(id(n)).await.unwrap().unwrap().1.unwrap().state
}

/// Restores a backup of one engine into another, and compares the two.
async fn restore_into(from: Engine, into: Engine) {
    let fixture = filled(from).await;
    let (backup, summary) = fixture.back_up().await;
    assert_eq!((summary.documents, summary.deliveries), (40, 40));
    assert_eq!(backup::verify(&mut backup.as_slice(), Some("events")).unwrap(), summary);
    let (other, restored) = Fixture::with(into, JSON).await.restored(&backup, true).await;
    assert_eq!(restored.unwrap(), summary);
    assert_eq!(state(&other, 1).await, DeliveryState::Sent { time: 7, attempts: 1 });
    assert!(matches!(state(&other, 2).await, DeliveryState::Scheduled { .. }));
    assert_eq!(state(&other, 3).await, DeliveryState::Scheduled { due: 3, failures: None });
    let search = Search { words: vec!["word7".into()], limit: 9, ..Search::default() };
    let found = other.store.search(search).await.unwrap().unwrap();
    assert_eq!(found.documents, [json(7, "7|7|word7 all|place|topic|a@b.org|7")]);
    // Mails were sent before: nothing that is overdue expires.
    other.store.start_sending(Duration::ZERO).await.unwrap();
    assert!(matches!(state(&other, 3).await, DeliveryState::Scheduled { .. }));
    let statistics = other.store.statistics().await;
    let expected = fixture.store.statistics().await;
    assert_eq!((statistics.documents, statistics.bytes), (expected.documents, expected.bytes));
    // The same documents in the same order, and the same deliveries.
    let again = other.back_up().await.1;
    assert_eq!((again.documents, again.deliveries), (40, 40));
    for n in 1..=40 {
        assert_eq!(other.store.get(id(n)).await, fixture.store.get(id(n)).await);
    }
}

async fn a_restored_store_has_what_was_backed_up(engine: Engine) {
    restore_into(engine, engine).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test starts it"]
async fn a_backup_of_one_engine_is_restored_into_the_other() {
    restore_into(Engine::Sqlite, Engine::Postgres).await;
    restore_into(Engine::Postgres, Engine::Sqlite).await;
}

async fn an_older_backup_has_no_mail_sent_again(engine: Engine) {
    let fixture = filled(engine).await;
    let (backup, _) = fixture.back_up().await;
    for claim in fixture.store.claim(3, Duration::from_secs(60)).await.unwrap() {
        let sent = DeliveryState::Sent { time: 8, attempts: 2 };
        assert!(fixture.store.settle(&claim, sent).await.unwrap());
    }
    // This one was replaced since: the backup's mail is another, which was not sent.
    put(&*fixture.store, 4, "4|4|another|place|topic|a@b.org|4").await;
    put(&*fixture.store, 99, "99|4|of no backup|place|topic|a@b.org|4").await;
    let (fixture, restored) = fixture.restored(&backup, true).await;
    restored.unwrap();
    let sent = async |n| match state(&fixture, n).await {
        DeliveryState::Sent { time, .. } => Some(time),
        _ => None,
    };
    let times = [sent(1).await, sent(3).await, sent(4).await, sent(5).await, sent(6).await];
    assert_eq!(times, [Some(7), Some(8), None, Some(8), None]);
    assert_eq!(fixture.count(StateName::Sent).await, 3);
    assert_eq!(fixture.store.delivery(id(99)).await, Ok(None));
    assert_eq!(fixture.store.statistics().await.documents, 40);
}

async fn what_is_no_whole_backup_replaces_nothing(engine: Engine) {
    let (backup, _) = filled(engine).await.back_up().await;
    let fixture = Fixture::with(engine, JSON).await;
    put(&*fixture.store, 1, "1|1|mine|place|topic").await;
    let (fixture, refused) = fixture.restored(&backup, false).await;
    assert!(matches!(refused, Err(BackupError::Exists(_))), "{refused:?}");
    let (fixture, cut_off) = fixture.restored(&backup[..backup.len() - 1], true).await;
    assert!(matches!(cut_off, Err(BackupError::CutOff { .. })), "{cut_off:?}");
    let mut flipped = backup.clone();
    flipped[backup.len() / 2] ^= 1;
    let (fixture, damaged) = fixture.restored(&flipped, true).await;
    assert!(damaged.is_err());
    assert_eq!(fixture.store.statistics().await.documents, 1);
    let (fixture, restored) = fixture.restored(&backup, true).await;
    restored.unwrap();
    assert_eq!(fixture.store.statistics().await.documents, 40);
}

async fn a_backup_shows_one_state_whatever_is_written_meanwhile(engine: Engine) {
    /// Changes a store while its backup is written.
    struct Out(Arc<dyn Store>, u32, Vec<u8>);
    impl std::io::Write for Out {
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
    let fixture = filled(engine).await;
    let store = Arc::clone(&fixture.store);
    let write = move || {
        let mut out = Out(Arc::clone(&store), 0, Vec::new());
        let summary = store.back_up(&mut out).unwrap();
        (summary, out.2)
    };
    let (summary, written) = tokio::task::spawn_blocking(write).await.unwrap();
    assert_eq!((summary.documents, summary.deliveries), (40, 40));
    assert_eq!(backup::verify(&mut written.as_slice(), None).unwrap(), summary);
    fixture.store.close().await.unwrap();
    assert_eq!(fixture.store.statistics().await.documents, 0);
}
