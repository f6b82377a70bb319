//! Flipped bits are noticed, and nothing damaged is shown as good.

use std::fs;

use super::*;
use crate::Page;

const TEXT: &str = "a text that is found in the file";

/// Changes bytes of the closed store's file.
fn damage(folder: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let path = folder.join("data.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn find(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
}

async fn closed(count: u32) -> TempDir {
    let fixture = Fixture::new();
    for n in 0..count {
        fixture.insert(n, &format!("{n}|{n}|{TEXT} {n}|place|topic")).await;
    }
    fixture.store.close().await.unwrap();
    let Fixture { store, folder } = fixture;
    drop(store);
    folder
}

#[tokio::test]
async fn a_document_with_a_flipped_bit_is_reported_and_never_shown() {
    let folder = closed(3).await;
    damage(folder.path(), |bytes| {
        let at = find(bytes, &format!("{TEXT} 1"));
        bytes[at] ^= 1;
    });
    let store = SqliteStore::open(folder.path(), &SETTINGS).unwrap();
    let damaged = StoreError::DamagedDocument { id: id(1) };
    assert_eq!(store.get(id(1)).await, Err(damaged.clone()));
    assert_eq!(store.get_at_once(id(1)), Some(Err(damaged.clone())));
    assert!(store.get(id(2)).await.unwrap().is_some());
    let listing = store.list(Page { after: None, limit: Some(9) }).await;
    assert_eq!(listing.map(|listing| listing.count), Err(damaged.clone()));
    let listing = store.list(Page::ALL).await.unwrap();
    assert_eq!(listing.chunks.last(), Some(Err(damaged)));
    assert!(store.back_up(&mut Vec::new()).is_err());
    assert!(store.statistics().await.damaged_documents >= 4);
    // Writing goes on, and makes it whole again.
    assert_eq!(store.check(), Ok(()));
    store.write(insert(1, "1|1|new|place|topic")).await.unwrap();
    assert_eq!(store.get(id(1)).await, Ok(Some(document(1, "1|1|new|place|topic"))));
}

#[tokio::test]
async fn a_damaged_document_can_be_removed() {
    let folder = closed(2).await;
    damage(folder.path(), |bytes| {
        let at = find(bytes, &format!("{TEXT} 1"));
        bytes[at] ^= 1;
    });
    let store = SqliteStore::open(folder.path(), &SETTINGS).unwrap();
    let remove = Write::Remove { id: id(1), condition: Condition::default() };
    assert_eq!(store.write(remove).await, Ok(WriteOutcome::Done(None)));
    assert_eq!(store.get(id(1)).await, Ok(None));
}

#[tokio::test]
async fn damage_of_the_structure_is_found_and_no_backup_is_good() {
    let folder = closed(2000).await;
    damage(folder.path(), |bytes| {
        // The first page of another kind than it says: the last one with documents.
        let at = find(bytes, &format!("{TEXT} 1999"));
        let page = at / 4096 * 4096;
        bytes[page] ^= 0x0f;
    });
    let store = SqliteStore::open(folder.path(), &SETTINGS).unwrap();
    let found = store.check_file();
    assert!(matches!(found, Err(StoreError::Damaged { .. })), "{found:?}");
    assert_eq!(store.check(), found);
    assert_eq!(store.write(insert(1, "new")).await.map(drop), found);
    assert!(store.back_up(&mut Vec::new()).is_err());
    assert!(store.get(id(0)).await.is_ok());
}

#[tokio::test]
async fn a_bit_flipped_anywhere_never_changes_what_is_read() {
    let whole_document =
        |n: u32| document(n, &format!("{{\"id\": \"{}\", \"text\": \"{TEXT}\"}}", id(n)));
    let fixture = Fixture::new();
    for n in 0..60 {
        let facts = facts(format!("{n}|{n}|{TEXT} {n}|place|topic").as_bytes());
        let write = Write::Insert { document: whole_document(n), facts };
        fixture.store.write(write).await.unwrap();
    }
    fixture.store.close().await.unwrap();
    let folder = fixture.folder;
    let whole = fs::read(folder.path().join("data.sqlite")).unwrap();
    for at in (0..whole.len()).step_by(997) {
        let copy = tempfile::tempdir().unwrap();
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(copy.path().join("data.sqlite"), bytes).unwrap();
        let Ok(store) = SqliteStore::open(copy.path(), &SETTINGS) else { continue };
        for n in 0..60 {
            // Not found is damage of the index, which only a check of the file can tell.
            if let Ok(Some(found)) = store.get(id(n)).await {
                assert_eq!(found, whole_document(n), "{at}");
            }
        }
    }
}
