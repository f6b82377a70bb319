//! The log over restarts, crashes, damage and rewriting.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::super::format::HEADER_LEN;
use super::*;

fn id(n: u32) -> ObjectId {
    let mut bytes = [0; 12];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    ObjectId::from_bytes(bytes)
}

fn document(n: u32) -> Bytes {
    Bytes::from(format!("{{\"id\": \"{}\", \"n\": {n}}}", id(n)))
}

fn open(path: &Path) -> Result<LogStore, StoreError> {
    LogStore::open(&DataDir::lock(path).unwrap(), "events")
}

fn log(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("log")
}

/// A log with documents 0 to `count` - 1, one batch each.
async fn filled(count: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    for n in 0..count {
        store.insert(id(n), document(n)).await.unwrap();
    }
    dir
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let dir = filled(3).await;
    let store = open(dir.path()).unwrap();
    assert_eq!(store.remove(id(0)).await.unwrap(), Some(document(0)));
    assert!(store.replace(id(1), document(100)).await.unwrap());
    drop(store);

    let store = open(dir.path()).unwrap();
    assert_eq!(store.get(id(0)).await.unwrap(), None);
    assert_eq!(store.get(id(1)).await.unwrap(), Some(document(100)));
    assert_eq!(store.list().await.unwrap(), [document(100), document(2)]);
    assert_eq!(store.check().await.unwrap(), 2);
}

#[tokio::test]
async fn what_is_not_there_is_neither_replaced_nor_removed() {
    let dir = filled(1).await;
    let before = fs::metadata(log(&dir)).unwrap().len();
    let store = open(dir.path()).unwrap();
    assert!(!store.replace(id(9), document(9)).await.unwrap());
    assert_eq!(store.remove(id(9)).await.unwrap(), None);
    assert_eq!(store.list().await.unwrap(), [document(0)]);
    assert_eq!(fs::metadata(log(&dir)).unwrap().len(), before);
}

#[tokio::test]
async fn concurrent_writes_to_one_id_follow_each_other() {
    let dir = filled(1).await;
    let store = Arc::new(open(dir.path()).unwrap());
    let removals: Vec<_> = (0..20)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.remove(id(0)).await.unwrap() })
        })
        .collect();
    let mut removed = 0;
    for removal in removals {
        removed += usize::from(removal.await.unwrap().is_some());
    }
    assert_eq!(removed, 1, "only one of them can have found it");
}

#[tokio::test]
async fn a_torn_tail_is_dropped_wherever_it_ends() {
    let whole = filled(2).await;
    let bytes = fs::read(log(&whole)).unwrap();
    let one = filled(1).await;
    let first = fs::metadata(log(&one)).unwrap().len();
    for length in usize::try_from(first).unwrap()..bytes.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(log(&dir), &bytes[..length]).unwrap();
        let store = open(dir.path()).unwrap();
        assert_eq!(store.list().await.unwrap(), [document(0)], "cut at {length}");
        store.insert(id(7), document(7)).await.unwrap();
        drop(store);
        let store = open(dir.path()).unwrap();
        assert_eq!(store.list().await.unwrap(), [document(0), document(7)], "cut at {length}");
    }
}

#[tokio::test]
async fn zeros_after_the_last_batch_are_a_torn_tail() {
    let dir = filled(2).await;
    let file = fs::File::options().append(true).open(log(&dir)).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length + 5000).unwrap();
    assert_eq!(open(dir.path()).unwrap().check().await.unwrap(), 2);
}

#[tokio::test]
async fn damage_anywhere_before_the_last_batch_is_reported_and_changes_nothing() {
    let dir = filled(3).await;
    let good = fs::read(log(&dir)).unwrap();
    let batch = (good.len() - HEADER_LEN) / 3;
    for at in (HEADER_LEN..HEADER_LEN + 2 * batch).step_by(3) {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        fs::write(log(&dir), &bad).unwrap();
        let error = open(dir.path()).unwrap_err();
        let from = (HEADER_LEN + (at - HEADER_LEN) / batch * batch) as u64;
        let StoreError::Damaged { path, offset } = error else { panic!("{at}: {error}") };
        assert_eq!((path, offset), (log(&dir), from), "flipped at {at}");
        assert_eq!(fs::read(log(&dir)).unwrap(), bad, "a damaged file must stay as it is");
    }
}

#[tokio::test]
async fn damage_under_a_running_store_is_reported_and_never_served() {
    let dir = filled(2).await;
    let store = open(dir.path()).unwrap();
    let file = fs::File::options().write(true).open(log(&dir)).unwrap();
    let end = file.metadata().unwrap().len();
    file.write_all_at(b"#", end - 3).unwrap();
    assert!(matches!(store.get(id(1)).await, Err(StoreError::Damaged { .. })));
    assert_eq!(store.get(id(0)).await.unwrap(), Some(document(0)));
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused() {
    let dir = filled(1).await;
    let error = LogStore::open(&DataDir::lock(dir.path()).unwrap(), "notifications").unwrap_err();
    assert!(error.to_string().contains("it holds events"), "{error}");
    fs::write(log(&dir), "something else").unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
}

#[tokio::test]
async fn a_log_that_is_mostly_dead_is_rewritten() {
    let dir = filled(10).await;
    let store = LogStore::open_with(&DataDir::lock(dir.path()).unwrap(), "events", 4096).unwrap();
    for round in 0..100 {
        assert!(store.replace(id(3), document(round)).await.unwrap());
    }
    let expected: Vec<_> = (0..10).map(|n| document(if n == 3 { 99 } else { n })).collect();
    assert_eq!(store.list().await.unwrap(), expected);
    drop(store);
    assert!(fs::metadata(log(&dir)).unwrap().len() < 6 * 1024, "the log was not rewritten");
    assert_eq!(open(dir.path()).unwrap().list().await.unwrap(), expected);
}

#[tokio::test]
async fn a_rewrite_that_a_crash_cut_short_is_forgotten() {
    let dir = filled(2).await;
    let unfinished = dir.path().join("log.new");
    fs::write(&unfinished, "half").unwrap();
    assert_eq!(open(dir.path()).unwrap().check().await.unwrap(), 2);
    assert!(!unfinished.exists());
}
