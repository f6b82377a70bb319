//! Brings the file to the schema that this program knows, and tells whether it may use the file.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior, params};

use super::failure::{code, translate};
use crate::StoreError;

/// Marks our files: four letters of our name in ASCII.
const APPLICATION_ID: i32 = 0x4576_506f;

/// A step from one schema to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    /// What is run.
    pub(super) sql: &'static str,
    /// The oldest schema that a program has to know to use the file still. Going back by one
    /// release has to work, so a step that an older program cannot work with comes a release after
    /// the program that can.
    pub(super) oldest: u32,
}

/// All steps, in their order.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { sql: include_str!("../../migrations/sqlite/0001_initial.sql"), oldest: 1 },
    Migration { sql: include_str!("../../migrations/sqlite/0002_reminders.sql"), oldest: 1 },
];

/// The step that brought the tables of suppressions.
pub(super) const SUPPRESSIONS: u32 = 2;

/// The newest schema that this program knows.
pub(super) fn known() -> u32 {
    number_of(MIGRATIONS)
}

fn number_of(migrations: &[Migration]) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX)
}

/// Checks that the file is ours, and applies the steps that it lacks, all or none.
pub(super) fn prepare(
    connection: &mut Connection,
    path: &Path,
    collection: &str,
    migrations: &[Migration],
) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| match translate(path, &error) {
        StoreError::Busy { .. } => StoreError::Locked { path: path.into() },
        other => other,
    };
    let knows = number_of(migrations);
    let level = level(connection, path, collection, knows)?;
    // A log of commits, which readers and the writer use at the same time.
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(failed)?;
    if mode != "wal" {
        let message = format!("its file system has no shared memory (journal mode {mode})");
        return Err(StoreError::Io { path: path.into(), message });
    }
    if level < knows {
        migrate(connection, collection, level, migrations).map_err(failed)?;
    }
    Ok(())
}

/// Checks that this program may use a file. Returns the number of steps that were applied to it.
pub(super) fn level(
    connection: &Connection,
    path: &Path,
    collection: &str,
    knows: u32,
) -> Result<u32, StoreError> {
    let failed = |error: rusqlite::Error| match code(&error) {
        Some((rusqlite::ffi::ErrorCode::DatabaseBusy, _)) => {
            StoreError::Locked { path: path.into() }
        }
        _ => translate(path, &error),
    };
    let foreign = |found: String| StoreError::Foreign {
        path: path.into(),
        collection: collection.to_owned(),
        found,
    };
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let id = number("application_id").map_err(failed)?;
    let level = number("user_version").map_err(failed)?;
    if id == 0 && level == 0 {
        let tables = "SELECT count(*) FROM sqlite_schema";
        let tables: u32 = connection.query_row(tables, [], |row| row.get(0)).map_err(failed)?;
        // A crash came before the first step: nothing was ever stored.
        return if tables == 0 {
            Ok(0)
        } else {
            Err(foreign("a database of another program".into()))
        };
    }
    if i64::from(id) != i64::from(APPLICATION_ID) {
        return Err(foreign("a database of another program".into()));
    }
    let found: String = connection
        .query_row("SELECT value FROM meta WHERE name = 'collection'", [], |row| row.get(0))
        .map_err(failed)?;
    if found != collection {
        return Err(foreign(format!("a database of {found}")));
    }
    if level > knows {
        let needs: u32 = connection
            .query_row("SELECT max(oldest) FROM migrations", [], |row| row.get(0))
            .map_err(failed)?;
        if needs > knows {
            return Err(StoreError::Newer { path: path.into(), needs, knows });
        }
    }
    Ok(level)
}

fn migrate(
    connection: &mut Connection,
    collection: &str,
    level: u32,
    migrations: &[Migration],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if level == 0 {
        transaction.execute_batch(
            "CREATE TABLE migrations (level INTEGER PRIMARY KEY, oldest INTEGER NOT NULL) STRICT;",
        )?;
    }
    for (migration, number) in migrations.iter().zip(1_u32..).skip(level as usize) {
        transaction.execute_batch(migration.sql)?;
        transaction
            .execute("INSERT INTO migrations VALUES (?1, ?2)", params![number, migration.oldest])?;
    }
    if level == 0 {
        transaction.execute("INSERT INTO meta VALUES ('collection', ?1)", [collection])?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", crate::columns::rows(migrations.len()))?;
    transaction.commit()
}
