//! The engines under comparison, each set to be durable at every commit.

use std::path::Path;

use crate::engine::{Engine, Key};

/// An engine's name and how to open it.
pub struct Kind {
    pub name: &'static str,
    pub open: fn(&Path) -> Box<dyn Engine>,
}

pub const ALL: &[Kind] = &[
    Kind {
        name: "redb",
        open: open_redb,
    },
    Kind {
        name: "fjall",
        open: open_fjall,
    },
    Kind {
        name: "SQLite",
        open: open_sqlite,
    },
    Kind {
        name: "LMDB (heed)",
        open: open_heed,
    },
    Kind {
        name: "log + index",
        open: open_log,
    },
];

const TABLE: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("resources");

struct Redb(redb::Database);

fn open_redb(dir: &Path) -> Box<dyn Engine> {
    let db = redb::Database::create(dir.join("db")).expect("redb opens");
    let txn = db.begin_write().expect("redb begins");
    txn.open_table(TABLE).expect("redb makes its table");
    txn.commit().expect("redb commits");
    Box::new(Redb(db))
}

impl Engine for Redb {
    fn commit(&mut self, batch: &[(Key, Vec<u8>)]) {
        let txn = self.0.begin_write().expect("redb begins");
        {
            let mut table = txn.open_table(TABLE).expect("redb opens its table");
            for (key, value) in batch {
                table.insert(&key[..], &value[..]).expect("redb inserts");
            }
        }
        txn.commit().expect("redb commits");
    }

    fn get(&mut self, key: &Key) -> Option<Vec<u8>> {
        use redb::ReadableDatabase;
        let txn = self.0.begin_read().expect("redb reads");
        let table = txn.open_table(TABLE).expect("redb opens its table");
        table
            .get(&key[..])
            .expect("redb reads")
            .map(|v| v.value().to_vec())
    }
}

struct Fjall {
    db: fjall::Database,
    rows: fjall::Keyspace,
}

fn open_fjall(dir: &Path) -> Box<dyn Engine> {
    let db = fjall::Database::builder(dir).open().expect("fjall opens");
    let rows = db
        .keyspace("resources", fjall::KeyspaceCreateOptions::default)
        .expect("fjall makes its keyspace");
    Box::new(Fjall { db, rows })
}

impl Engine for Fjall {
    fn commit(&mut self, batch: &[(Key, Vec<u8>)]) {
        let mut write = self
            .db
            .batch()
            .durability(Some(fjall::PersistMode::SyncData));
        for (key, value) in batch {
            write.insert(&self.rows, key, value.as_slice());
        }
        write.commit().expect("fjall commits");
    }

    fn get(&mut self, key: &Key) -> Option<Vec<u8>> {
        self.rows.get(key).expect("fjall reads").map(|v| v.to_vec())
    }
}

struct Sqlite(rusqlite::Connection);

fn open_sqlite(dir: &Path) -> Box<dyn Engine> {
    let db = rusqlite::Connection::open(dir.join("db")).expect("SQLite opens");
    db.pragma_update(None, "journal_mode", "WAL")
        .expect("SQLite takes WAL");
    db.pragma_update(None, "synchronous", "FULL")
        .expect("SQLite takes FULL");
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS resources (id BLOB PRIMARY KEY, body BLOB) WITHOUT ROWID",
    )
    .expect("SQLite makes its table");
    Box::new(Sqlite(db))
}

impl Engine for Sqlite {
    fn commit(&mut self, batch: &[(Key, Vec<u8>)]) {
        let txn = self.0.transaction().expect("SQLite begins");
        {
            let mut insert = txn
                .prepare_cached("INSERT INTO resources VALUES (?1, ?2)")
                .expect("SQLite prepares");
            for (key, value) in batch {
                insert
                    .execute((&key[..], &value[..]))
                    .expect("SQLite inserts");
            }
        }
        txn.commit().expect("SQLite commits");
    }

    fn get(&mut self, key: &Key) -> Option<Vec<u8>> {
        let mut read = self
            .0
            .prepare_cached("SELECT body FROM resources WHERE id = ?1")
            .expect("SQLite prepares");
        match read.query_row([&key[..]], |row| row.get(0)) {
            Err(rusqlite::Error::QueryReturnedNoRows) => None,
            row => Some(row.expect("SQLite reads")),
        }
    }
}

struct Heed {
    env: heed::Env,
    rows: heed::Database<heed::types::Bytes, heed::types::Bytes>,
}

fn open_heed(dir: &Path) -> Box<dyn Engine> {
    // SAFETY: no other process opens this folder while the benchmark runs.
    let env =
        unsafe { heed::EnvOpenOptions::new().map_size(4 << 30).open(dir) }.expect("LMDB opens");
    let mut txn = env.write_txn().expect("LMDB begins");
    let rows = env
        .create_database(&mut txn, None)
        .expect("LMDB makes its table");
    txn.commit().expect("LMDB commits");
    Box::new(Heed { env, rows })
}

impl Engine for Heed {
    fn commit(&mut self, batch: &[(Key, Vec<u8>)]) {
        let mut txn = self.env.write_txn().expect("LMDB begins");
        for (key, value) in batch {
            self.rows.put(&mut txn, key, value).expect("LMDB inserts");
        }
        txn.commit().expect("LMDB commits");
    }

    fn get(&mut self, key: &Key) -> Option<Vec<u8>> {
        let txn = self.env.read_txn().expect("LMDB reads");
        self.rows
            .get(&txn, key)
            .expect("LMDB reads")
            .map(|v| v.to_vec())
    }
}

/// The floor for any engine: append the batch with a checksum for each row,
/// fdatasync, keep an index of offsets in memory, rebuild and verify it at start.
struct Log {
    file: std::fs::File,
    end: u64,
    index: std::collections::HashMap<Key, (u64, u32)>,
}

fn open_log(dir: &Path) -> Box<dyn Engine> {
    let file = std::fs::File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(dir.join("log"))
        .expect("the log opens");
    let bytes = std::fs::read(dir.join("log")).expect("the log reads");
    let (mut index, mut at) = (std::collections::HashMap::new(), 0);
    while at < bytes.len() {
        let key: Key = bytes[at..at + 12].try_into().expect("12 bytes");
        let len = u32::from_le_bytes(bytes[at + 12..at + 16].try_into().expect("4 bytes"));
        let sum = u32::from_le_bytes(bytes[at + 16..at + 20].try_into().expect("4 bytes"));
        let value = bytes
            .get(at + 20..at + 20 + len as usize)
            .expect("the log is whole");
        assert_eq!(checksum(&key, value), sum, "damaged at offset {at}");
        index.insert(key, (at as u64 + 20, len));
        at += 20 + len as usize;
    }
    Box::new(Log {
        file,
        end: at as u64,
        index,
    })
}

fn checksum(key: &Key, value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

impl Engine for Log {
    fn commit(&mut self, batch: &[(Key, Vec<u8>)]) {
        use std::os::unix::fs::FileExt;
        let mut out = Vec::new();
        for (key, value) in batch {
            self.index
                .insert(*key, (self.end + out.len() as u64 + 20, value.len() as u32));
            out.extend_from_slice(key);
            out.extend_from_slice(&(value.len() as u32).to_le_bytes());
            out.extend_from_slice(&checksum(key, value).to_le_bytes());
            out.extend_from_slice(value);
        }
        self.file
            .write_all_at(&out, self.end)
            .expect("the log writes");
        self.file.sync_data().expect("the log syncs");
        self.end += out.len() as u64;
    }

    fn get(&mut self, key: &Key) -> Option<Vec<u8>> {
        use std::os::unix::fs::FileExt;
        let (at, len) = self.index.get(key)?;
        let mut value = vec![0; *len as usize];
        self.file
            .read_exact_at(&mut value, *at)
            .expect("the log reads");
        Some(value)
    }
}
