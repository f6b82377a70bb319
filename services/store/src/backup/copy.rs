//! Writes a backup of one state of a store, which an engine reads in parts.

use std::io;

use super::{BackupError, BackupSummary, Writer};
use crate::{AddressDigest, Delivery, Document, ObjectId, StoreError, Suppression};

/// One state of a store.
pub(crate) trait Source {
    /// How many documents there are.
    fn count(&mut self) -> Result<u64, StoreError>;

    /// Some documents after an id, by ascending id; none at the end.
    fn documents(
        &mut self,
        after: Option<ObjectId>,
    ) -> Result<Vec<Result<Document, ObjectId>>, StoreError>;

    /// Some deliveries of documents after an id, by ascending id; none at the end.
    fn deliveries(
        &mut self,
        after: Option<ObjectId>,
    ) -> Result<Vec<(ObjectId, Option<Delivery>)>, StoreError>;

    /// Some addresses after one that get no mails, by ascending digest; none at the end.
    fn suppressions(
        &mut self,
        after: Option<AddressDigest>,
    ) -> Result<Vec<Suppression>, StoreError>;

    /// Since when mails are sent.
    fn mail_since(&mut self) -> Result<Option<u64>, StoreError>;

    /// The error for a store that has other documents than it should have.
    fn incomplete(&self) -> StoreError;
}

/// Writes a backup of it.
pub(crate) fn copy(
    source: &mut impl Source,
    collection: &str,
    out: &mut dyn io::Write,
) -> Result<BackupSummary, BackupError> {
    let mut writer = Writer::new(out, collection)?;
    let (mut missing, mut after) = (source.count()?, None);
    loop {
        let documents = source.documents(after)?;
        if documents.is_empty() {
            break;
        }
        for document in documents {
            let document = document.map_err(|id| StoreError::DamagedDocument { id })?;
            after = Some(document.id);
            writer.document(&document)?;
            // Wraps if there are more than there should be.
            missing = missing.wrapping_sub(1);
        }
    }
    if missing != 0 {
        return Err(source.incomplete().into());
    }
    let mut after = None;
    loop {
        let deliveries = source.deliveries(after)?;
        if deliveries.is_empty() {
            break;
        }
        for (id, delivery) in deliveries {
            after = Some(id);
            if let Some(delivery) = delivery {
                writer.delivery(id, &delivery)?;
            }
        }
    }
    let mut after = None;
    loop {
        let suppressions = source.suppressions(after)?;
        if suppressions.is_empty() {
            break;
        }
        for suppression in suppressions {
            after = Some(suppression.address);
            writer.suppression(&suppression)?;
        }
    }
    if let Some(since) = source.mail_since()? {
        writer.mail_since(since)?;
    }
    writer.finish()
}
