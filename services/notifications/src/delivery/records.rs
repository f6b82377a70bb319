//! This module owns the states on the disk: a log like that of the notifications, beside
//! it, with a record for each that is more than scheduled.

use std::collections::BTreeMap;
use std::path::Path;

use rest::ObjectId;
use rest::data_dir::DataDir;
use rest::store::{Condition, LogStore, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::book::Entry;
use super::state::DeliveryState;

/// The folder below that of the notifications, and what its log is of.
pub(super) const COLLECTION: &str = "deliveries";
/// Under it lies since when mails are sent here.
const SINCE: ObjectId = ObjectId::from_bytes([0; 12]);

/// The states on the disk.
#[derive(Debug)]
pub(super) struct Records {
    store: LogStore,
    /// Keeps others from the folder.
    _dir: DataDir,
}

/// What is written of one.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    state: DeliveryState,
    tag: u64,
}

impl Records {
    /// Opens them, or begins with none.
    pub(super) fn open(folder: &Path) -> Result<Self, String> {
        let dir = DataDir::lock(&folder.join(COLLECTION)).map_err(|error| error.to_string())?;
        let store = LogStore::open(&dir, COLLECTION).map_err(|error| error.to_string())?;
        Ok(Self { store, _dir: dir })
    }

    /// All of them. Waits for the disk.
    pub(super) fn read_all(&self) -> Result<BTreeMap<ObjectId, Entry>, StoreError> {
        let mut all = BTreeMap::new();
        for id in self.store.ids_after(None, usize::MAX) {
            let Some(document) = self.store.read(id)? else { continue };
            if let Ok(Record { state, tag }) = serde_json::from_slice(&document.bytes) {
                all.insert(id, Entry { state, tag });
            }
        }
        Ok(all)
    }

    /// Since when mails are sent here, in milliseconds since 1970; now, where they never
    /// were.
    pub(super) async fn since(&self, now: u64) -> Result<u64, StoreError> {
        if let Some(document) = self.store.get(SINCE).await? {
            let text = std::str::from_utf8(&document.bytes).unwrap_or_default();
            return Ok(text.parse().unwrap_or(now));
        }
        self.store.insert(SINCE, now.to_string().into_bytes().into()).await?;
        Ok(now)
    }

    /// Writes one down, durably; without an entry it is removed.
    pub(super) async fn write(
        &self,
        id: ObjectId,
        entry: Option<&Entry>,
    ) -> Result<(), StoreError> {
        let Some(Entry { state, tag }) = entry else {
            self.store.remove(id, Condition::default()).await?;
            return Ok(());
        };
        let record = Record { state: state.clone(), tag: *tag };
        let text = serde_json::to_vec(&record).unwrap_or_default();
        self.store.insert(id, text.into()).await
    }
}
