//! Brings a database to the schema that this program knows, and tells whether it may use it.

use std::time::Duration;

use super::connection::Connection;
use super::health::Health;
use crate::{StoreError, Tag};

/// A step from one schema to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    /// What is run.
    pub(super) sql: &'static str,
    /// The oldest schema that a program has to know to use the database still. Programs of both
    /// releases work with it while one takes the place of the other, and going back by one
    /// release has to work, so a step that an older program cannot work with comes a release after
    /// the program that can.
    pub(super) oldest: i32,
}

/// All steps, in their order.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { sql: include_str!("../../migrations/postgres/0001_initial.sql"), oldest: 1 },
    Migration { sql: include_str!("../../migrations/postgres/0002_reminders.sql"), oldest: 1 },
];

/// The step that brought the tables of suppressions.
pub(super) const SUPPRESSIONS: i32 = 2;

/// How long a step is waited for.
const PATIENCE: Duration = Duration::from_secs(610);
/// The oldest server that has what is used here, as `server_version_num` says it.
const OLDEST_SERVER: i32 = 130_000;

/// The schema of a collection: one database may hold several.
pub(super) fn name(collection: &str) -> String {
    format!("eventpost_{collection}")
}

/// The newest schema that this program knows.
pub(super) fn known() -> i32 {
    number_of(MIGRATIONS)
}

fn number_of(migrations: &[Migration]) -> i32 {
    i32::try_from(migrations.len()).unwrap_or(i32::MAX)
}

/// Applies the steps that a database lacks, all or none. Of several processes one does.
pub(super) async fn prepare(
    connection: &mut Connection,
    health: &Health,
    collection: &str,
    migrations: &[Migration],
) -> Result<(), StoreError> {
    check_server(connection, health).await?;
    let knows = number_of(migrations);
    if level(connection, health, collection, knows).await? >= knows {
        return Ok(());
    }
    let schema = name(collection);
    let key = Tag::of(schema.as_bytes()).0.cast_signed();
    // Others may be at it, and a step may take long.
    connection.set_patience(PATIENCE);
    connection
        .run("BEGIN; SET LOCAL lock_timeout = '120s'; SET LOCAL statement_timeout = '600s'")
        .await?;
    connection.query("SELECT pg_advisory_xact_lock($1)", &[&key]).await?;
    let level = level(connection, health, collection, knows).await?;
    if level == 0 {
        create(connection, health, &schema).await?;
    }
    for (migration, number) in migrations.iter().zip(1..).filter(|(_, number)| *number > level) {
        connection.run(migration.sql).await?;
        let note = "INSERT INTO migrations (level, oldest) VALUES ($1, $2)";
        connection.execute(note, &[&number, &migration.oldest]).await?;
    }
    if level == 0 {
        let epoch = draw(health)?;
        connection.execute("INSERT INTO status (epoch) VALUES ($1)", &[&epoch]).await?;
    }
    connection.run("COMMIT").await?;
    tracing::info!(database = health.database(), schema, from = level, to = knows, "migrated");
    Ok(())
}

/// A random number that tells the states of one database from those of others.
pub(super) fn draw(health: &Health) -> Result<i64, StoreError> {
    let drawn = getrandom::u64().map_err(|error| StoreError::Database {
        database: health.database().into(),
        message: format!("the system has no source of randomness: {error}"),
    });
    // Revisions are added to it.
    drawn.map(|epoch| (epoch >> 2).cast_signed())
}

async fn check_server(connection: &mut Connection, health: &Health) -> Result<(), StoreError> {
    let sql =
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'),
               current_setting('server_encoding')";
    let rows = connection.query(sql, &[]).await?;
    let read = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    let read: Result<(i32, String, String), _> = read(&rows[0]);
    let (number, version, encoding) = connection.judge(read)?;
    let refuse =
        |message| Err(StoreError::Database { database: health.database().into(), message });
    if number < OLDEST_SERVER {
        return refuse(format!("PostgreSQL {version} is too old: 13 or later is needed"));
    }
    if encoding != "UTF8" {
        return refuse(format!("its encoding is {encoding}: create it with the encoding UTF8"));
    }
    Ok(())
}

/// The number of steps that were applied to a database, if this program may use it.
pub(super) async fn level(
    connection: &mut Connection,
    health: &Health,
    collection: &str,
    knows: i32,
) -> Result<i32, StoreError> {
    let schema = name(collection);
    let sql = "SELECT count(*) FILTER (WHERE c.relname = 'migrations'), count(*)
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = $1 AND c.relkind = 'r'";
    let rows = connection.query(sql, &[&schema]).await?;
    let read = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
    let tables: Result<(i64, i64), _> = read(&rows[0]);
    match connection.judge(tables)? {
        (0, 0) => return Ok(0),
        (0, _) => {
            return Err(StoreError::Foreign {
                path: health.database().into(),
                collection: collection.into(),
                found: format!("its schema {schema} has tables of another program"),
            });
        }
        _ => {}
    }
    let sql = "SELECT max(level), max(oldest) FROM migrations";
    let rows = connection.query(sql, &[]).await?;
    let read = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
    let found: Result<(Option<i32>, Option<i32>), _> = read(&rows[0]);
    let (level, needs) = connection.judge(found)?;
    let (level, needs) = (level.unwrap_or(0), needs.unwrap_or(0));
    if level > knows && needs > knows {
        let (needs, knows) = (needs.cast_unsigned(), knows.cast_unsigned());
        return Err(StoreError::Newer { path: health.database().into(), needs, knows });
    }
    Ok(level)
}

async fn create(
    connection: &mut Connection,
    health: &Health,
    schema: &str,
) -> Result<(), StoreError> {
    let exists = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
    if connection.query(exists, &[&schema]).await?.is_empty() {
        // The schema's name is one of ours.
        let created = connection.run(&format!("CREATE SCHEMA {schema}")).await;
        created.map_err(|error| match error {
            StoreError::Database { message, .. } => StoreError::Database {
                database: health.database().into(),
                message: format!(
                    "{message}: as the owner of the database, run `CREATE SCHEMA {schema} \
                     AUTHORIZATION <user>`, with the user of the database URL"
                ),
            },
            other => other,
        })?;
    }
    connection
        .run("CREATE TABLE migrations (level integer PRIMARY KEY, oldest integer NOT NULL)")
        .await
}
