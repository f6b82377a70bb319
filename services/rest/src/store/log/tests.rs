//! The log over restarts, crashes, damage and rewriting.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use super::super::format::{HEADER_LEN, copy_header};
use super::super::{Copied, CopyError, Destination, Tag, Tags, backup, restore, verify};
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

fn list(store: &LogStore) -> Vec<Bytes> {
    store.list(Page::ALL).chunks.collect::<Result<Vec<_>, _>>().unwrap().concat()
}

async fn get(store: &LogStore, n: u32) -> Result<Option<Bytes>, StoreError> {
    Ok(store.get(id(n)).await?.map(|document| document.bytes))
}

async fn remove(store: &LogStore, n: u32) -> Outcome<Document> {
    store.remove(id(n), Condition::default()).await.unwrap()
}

async fn replace(store: &LogStore, n: u32, with: Bytes) -> Outcome<()> {
    store.replace(id(n), with, Condition::default()).await.unwrap()
}

fn log(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("log")
}

/// Changes a byte of the document that was written last.
fn damage_last(dir: &tempfile::TempDir) {
    let file = fs::File::options().write(true).open(log(dir)).unwrap();
    let end = file.metadata().unwrap().len();
    file.write_all_at(b"#", end - 3).unwrap();
}

/// Changes a byte of the first document.
fn damage_first(dir: &tempfile::TempDir) {
    let file = fs::File::options().write(true).open(log(dir)).unwrap();
    file.write_all_at(b"#", 70).unwrap();
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
    assert_eq!(remove(&store, 0).await, Outcome::Done(document(0).into()));
    assert_eq!(replace(&store, 1, document(100)).await, Outcome::Done(()));
    drop(store);

    let store = open(dir.path()).unwrap();
    assert_eq!(get(&store, 0).await.unwrap(), None);
    assert_eq!(get(&store, 1).await.unwrap(), Some(document(100)));
    assert_eq!(list(&store), [document(100), document(2)]);
    assert_eq!(store.check().unwrap(), 2);
}

#[tokio::test]
async fn what_is_not_there_is_neither_replaced_nor_removed() {
    let dir = filled(1).await;
    let before = fs::metadata(log(&dir)).unwrap().len();
    let store = open(dir.path()).unwrap();
    assert_eq!(replace(&store, 9, document(9)).await, Outcome::NotFound);
    assert_eq!(remove(&store, 9).await, Outcome::NotFound);
    assert_eq!(list(&store), [document(0)]);
    assert_eq!(fs::metadata(log(&dir)).unwrap().len(), before);
}

#[tokio::test]
async fn concurrent_writes_to_one_id_follow_each_other() {
    let dir = filled(1).await;
    let store = Arc::new(open(dir.path()).unwrap());
    let removals: Vec<_> = (0..20)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { remove(&store, 0).await })
        })
        .collect();
    let mut removed = 0;
    for removal in removals {
        removed += usize::from(removal.await.unwrap() != Outcome::NotFound);
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
        assert_eq!(list(&store), [document(0)], "cut at {length}");
        store.insert(id(7), document(7)).await.unwrap();
        drop(store);
        let store = open(dir.path()).unwrap();
        assert_eq!(list(&store), [document(0), document(7)], "cut at {length}");
    }
}

#[tokio::test]
async fn zeros_after_the_last_batch_are_a_torn_tail() {
    let dir = filled(2).await;
    let file = fs::File::options().append(true).open(log(&dir)).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length + 5000).unwrap();
    assert_eq!(open(dir.path()).unwrap().check().unwrap(), 2);
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
    damage_last(&dir);
    assert!(matches!(get(&store, 1).await, Err(StoreError::Damaged { .. })));
    assert_eq!(get(&store, 0).await.unwrap(), Some(document(0)));
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
async fn a_log_that_is_mostly_dead_is_rewritten_while_it_is_written_to() {
    let dir = filled(10).await;
    let store = LogStore::open_with(&DataDir::lock(dir.path()).unwrap(), "events", 4096).unwrap();
    let mut round = 0;
    // A snapshot from before shows what there was then.
    let before = store.list(Page::ALL);
    while store.shared.counters.rewrites.load(Ordering::Relaxed) < 2 {
        assert_eq!(replace(&store, 3, document(round)).await, Outcome::Done(()));
        assert_eq!(get(&store, 3).await.unwrap(), Some(document(round)));
        round += 1;
    }
    let before = before.chunks.collect::<Result<Vec<_>, _>>().unwrap().concat();
    assert_eq!(before, (0..10).map(document).collect::<Vec<_>>());
    let expected: Vec<_> = (0..10).map(|n| document(if n == 3 { round - 1 } else { n })).collect();
    assert_eq!(list(&store), expected);
    drop(store);
    assert!(fs::metadata(log(&dir)).unwrap().len() < u64::from(round) * 60, "nothing was dropped");
    assert_eq!(list(&open(dir.path()).unwrap()), expected);
}

#[tokio::test]
async fn a_write_happens_only_if_its_condition_holds() {
    let dir = filled(1).await;
    let store = open(dir.path()).unwrap();
    let only = |document: Bytes| Condition {
        matches: Some(Tags::OneOf(vec![Tag::of(&document)])),
        matches_none: None,
    };
    let stale = only(document(7));
    let outcome = store.replace(id(0), document(1), stale.clone()).await.unwrap();
    assert_eq!(outcome, Outcome::ConditionFailed);
    assert_eq!(store.remove(id(0), stale).await.unwrap(), Outcome::ConditionFailed);
    // Of many that have seen the same document, one replaces it.
    let store = Arc::new(store);
    let replacements: Vec<_> = (1..20)
        .map(|n| {
            let (store, condition) = (Arc::clone(&store), only(document(0)));
            tokio::spawn(async move { store.replace(id(0), document(n), condition).await.unwrap() })
        })
        .collect();
    let mut done = 0;
    for replacement in replacements {
        done += usize::from(replacement.await.unwrap() == Outcome::Done(()));
    }
    assert_eq!(done, 1);
    let now = get(&store, 0).await.unwrap().unwrap();
    assert_eq!(store.remove(id(0), only(now.clone())).await.unwrap(), Outcome::Done(now.into()));
}

#[tokio::test]
async fn a_damaged_document_can_be_replaced() {
    let dir = filled(2).await;
    let store = open(dir.path()).unwrap();
    damage_last(&dir);
    assert!(matches!(get(&store, 1).await, Err(StoreError::Damaged { .. })));
    assert_eq!(replace(&store, 1, document(5)).await, Outcome::Done(()));
    assert_eq!(get(&store, 1).await.unwrap(), Some(document(5)));
}

#[tokio::test]
async fn a_page_begins_after_an_id_and_says_where_the_next_does() {
    let dir = filled(5).await;
    let store = open(dir.path()).unwrap();
    let page = |after: Option<u32>, limit| {
        let listing = store.list(Page { after: after.map(id), limit });
        let next = listing.next_after;
        (listing.chunks.collect::<Result<Vec<_>, _>>().unwrap().concat(), next)
    };
    assert_eq!(page(None, 2), (vec![document(0), document(1)], Some(id(1))));
    assert_eq!(page(Some(1), 3), (vec![document(2), document(3), document(4)], None));
    assert_eq!(page(Some(4), 3), (vec![], None));
}

#[tokio::test]
async fn a_copy_is_taken_while_the_log_is_written_to_and_put_back() {
    let dir = filled(20).await;
    let store = open(dir.path()).unwrap();
    remove(&store, 3).await;
    let copy = dir.path().join("copy");
    let copied = backup(dir.path(), "events", &Destination::File(copy.clone())).unwrap();
    assert_eq!(copied.documents, 19);
    let expected = list(&store);
    store.insert(id(50), document(50)).await.unwrap();

    let other = tempfile::tempdir().unwrap();
    let into = DataDir::lock(other.path()).unwrap();
    assert_eq!(restore(&into, "events", &copy, false).unwrap().documents, 19);
    drop(into);
    assert_eq!(list(&open(other.path()).unwrap()), expected);

    let occupied = DataDir::lock(other.path()).unwrap();
    let error = restore(&occupied, "events", &copy, false).unwrap_err();
    assert!(matches!(error, CopyError::Occupied { documents: 19, .. }), "{error}");
    restore(&occupied, "events", &copy, true).unwrap();
}

#[tokio::test]
async fn a_copy_that_is_not_whole_is_refused_and_leaves_what_was_there() {
    let dir = filled(20).await;
    let copy = dir.path().join("copy");
    backup(dir.path(), "events", &Destination::File(copy.clone())).unwrap();
    let whole = fs::read(&copy).unwrap();
    let other = filled(2).await;
    let into = DataDir::lock(other.path()).unwrap();
    let before = fs::read(log(&other)).unwrap();
    let mut bad: Vec<Vec<u8>> =
        (0..whole.len()).step_by(7).map(|end| whole[..end].into()).collect();
    bad.extend((0..whole.len()).step_by(5).map(|at| {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        flipped
    }));
    bad.push([&whole[..], &whole[HEADER_LEN..]].concat());
    bad.push([&whole[..], b"\n"].concat());
    bad.push([b"Welcome!\n", &whole[..]].concat());
    for bytes in bad {
        fs::write(&copy, &bytes).unwrap();
        let error = verify(&copy, "events").unwrap_err();
        assert!(matches!(error, CopyError::Bad { .. }), "{error}");
        let error = restore(&into, "events", &copy, true).unwrap_err();
        assert!(matches!(error, CopyError::Bad { .. }), "{error}");
        assert_eq!(fs::read(log(&other)).unwrap(), before);
    }
    fs::write(&copy, &whole).unwrap();
    let error = restore(&into, "notifications", &copy, true).unwrap_err().to_string();
    assert!(error.contains("it is a copy of events"), "{error}");
}

/// The copy of a log with documents 0 to `count` - 1.
async fn copy_of(folder: &Path, count: u32) -> Vec<u8> {
    let file = folder.join("copy");
    backup(filled(count).await.path(), "events", &Destination::File(file.clone())).unwrap();
    fs::read(&file).unwrap()
}

/// The same copy, as one of another collection.
fn beside(copy: &[u8], name: &str) -> Vec<u8> {
    let mut part = copy.to_vec();
    part[..HEADER_LEN].copy_from_slice(&copy_header(name));
    part
}

#[tokio::test]
async fn a_copy_with_parts_that_no_folder_can_hold_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let whole = copy_of(dir.path(), 2).await;
    let file = dir.path().join("copy");
    let with = |names: &[&str]| {
        let parts = names.iter().map(|name| beside(&whole, name));
        let bytes = [whole.clone()].into_iter().chain(parts).collect::<Vec<_>>().concat();
        fs::write(&file, &bytes).unwrap();
        (verify(&file, "events"), bytes.len() as u64)
    };
    let (verified, bytes) = with(&["deliveries", "more"]);
    assert_eq!(verified.unwrap(), Copied { documents: 2, bytes });
    let many = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    for names in [&["log"][..], &["lock"], &["twice", "twice"], &many, &["../up"]] {
        let error = with(names).0.unwrap_err();
        assert!(matches!(error, CopyError::Bad { .. }), "{names:?}: {error}");
        let into = tempfile::tempdir().unwrap();
        restore(&DataDir::lock(into.path()).unwrap(), "events", &file, false).unwrap_err();
        assert!(!into.path().join("log").exists(), "{names:?}");
    }
}

#[tokio::test]
async fn what_is_quoted_of_a_header_cannot_move_the_cursor() {
    let dir = tempfile::tempdir().unwrap();
    let whole = copy_of(dir.path(), 1).await;
    let file = dir.path().join("copy");
    fs::write(&file, beside(&whole, "\u{1b}[2J")).unwrap();
    let error = verify(&file, "events").unwrap_err().to_string();
    assert!(error.contains("\\u{1b}[2J") && !error.contains('\u{1b}'), "{error}");
    // A name that no header has room for is that of no collection.
    verify(&file, &"e".repeat(32)).unwrap_err();
}

#[tokio::test]
async fn a_copy_is_private_and_follows_no_link() {
    let (log, dir) = (filled(2).await, tempfile::tempdir().unwrap());
    let file = dir.path().join("copy");
    let other = dir.path().join("other");
    fs::write(&other, "kept").unwrap();
    std::os::unix::fs::symlink(&other, dir.path().join("copy.part")).unwrap();
    backup(log.path(), "events", &Destination::File(file.clone())).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(&other).unwrap(), b"kept");
    let before = fs::read(&file).unwrap();
    damage_first(&log);
    backup(log.path(), "events", &Destination::File(file.clone())).unwrap_err();
    assert_eq!(fs::read(&file).unwrap(), before, "the copy of before stays");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing unfinished is left");
}

#[tokio::test]
async fn a_rewrite_that_a_crash_cut_short_is_forgotten() {
    let dir = filled(2).await;
    let unfinished = dir.path().join("log.new");
    fs::write(&unfinished, "half").unwrap();
    assert_eq!(open(dir.path()).unwrap().check().unwrap(), 2);
    assert!(!unfinished.exists());
}
