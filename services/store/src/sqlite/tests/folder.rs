//! What is in a folder when a store is opened there.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;

use super::*;
use crate::sqlite::back_up_folder;
use crate::sqlite::schema::{MIGRATIONS, Migration, prepare};

fn open(folder: &Path) -> Result<(), StoreError> {
    SqliteStore::open(folder, &SETTINGS).map(drop)
}

#[tokio::test]
async fn a_new_store_is_private_to_its_user() {
    let fixture = Fixture::new();
    fixture.insert(1, "one").await;
    for name in ["data.sqlite", "data.sqlite-wal", "data.sqlite-shm", "spare"] {
        let mode = fs::metadata(fixture.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn files_that_are_not_ours_are_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    fs::write(folder.path().join("log"), "records").unwrap();
    assert!(matches!(open(folder.path()), Err(StoreError::OldLog { .. })));
    assert!(!path.exists());
    fs::remove_file(folder.path().join("log")).unwrap();
    fs::write(
        &path,
        "this is some other file, and it is long enough for a header of a database. ".repeat(9),
    )
    .unwrap();
    assert!(matches!(open(folder.path()), Err(StoreError::Damaged { .. })));
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE other (x)").unwrap();
    assert!(matches!(open(folder.path()), Err(StoreError::Foreign { .. })));
    fs::remove_file(&path).unwrap();
    let notifications = Settings { collection: "notifications", ..SETTINGS };
    drop(SqliteStore::open(folder.path(), &notifications).unwrap());
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }));
    assert!(error.to_string().contains("a database of notifications"), "{error}");
    drop(SqliteStore::open(folder.path(), &notifications).unwrap());
}

#[test]
fn an_empty_file_is_what_a_crash_left_at_the_first_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data.sqlite"), "").unwrap();
    open(folder.path()).unwrap();
}

#[test]
fn a_file_that_another_program_locks_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).unwrap();
    let other = Connection::open(folder.path().join("data.sqlite")).unwrap();
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; SELECT * FROM meta")
        .unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
}

const SECOND: Migration = Migration { sql: "CREATE TABLE second (x)", oldest: 1 };
/// The step after a program that knows the second: the first can no longer use the file.
const THIRD: Migration = Migration { sql: "CREATE TABLE third (x)", oldest: 2 };

fn migrate(path: &Path, migrations: &[Migration]) -> Result<(), StoreError> {
    let mut connection = Connection::open(path).unwrap();
    prepare(&mut connection, path, "events", migrations)
}

#[test]
fn a_program_goes_back_by_one_release_and_no_further() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    let first = &MIGRATIONS[..1];
    let second = [first, &[SECOND]].concat();
    let third = [second.as_slice(), &[THIRD]].concat();
    migrate(&path, first).unwrap();
    migrate(&path, &second).unwrap();
    migrate(&path, first).unwrap();
    migrate(&path, &third).unwrap();
    migrate(&path, &second).unwrap();
    let refused = migrate(&path, first);
    assert_eq!(refused, Err(StoreError::Newer { path: path.clone(), needs: 2, knows: 1 }));
    migrate(&path, &third).unwrap();
}

#[test]
fn a_step_that_fails_leaves_the_schema_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    let first = &MIGRATIONS[..1];
    migrate(&path, first).unwrap();
    let broken = Migration { sql: "CREATE TABLE half (x); CREATE TABLE meta (x)", oldest: 1 };
    assert!(migrate(&path, &[first, &[SECOND], &[broken]].concat()).is_err());
    migrate(&path, &[first, &[SECOND]].concat()).unwrap();
}

#[test]
fn data_of_the_first_schema_are_backed_up_before_they_are_migrated() {
    let folder = tempfile::tempdir().unwrap();
    migrate(&folder.path().join("data.sqlite"), &MIGRATIONS[..1]).unwrap();
    let mut backup = Vec::new();
    let summary = back_up_folder(folder.path(), "events", &mut backup).unwrap();
    assert_eq!(summary.documents, 0);
}
