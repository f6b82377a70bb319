//! Writes a backup, line by line.

use std::io::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::lines::{
    DeliveryFields, DeliveryLine, End, EndLine, Header, MailSince, SuppressionFields,
    SuppressionLine,
};
use super::{BackupError, BackupSummary, VERSION};
use crate::{Delivery, Document, ObjectId, StoreError, Suppression, hex};

/// Writes a backup: documents, deliveries, suppressions and since when mails are sent, in this
/// order.
pub struct Writer<'a> {
    out: &'a mut dyn Write,
    digest: Sha256,
    summary: BackupSummary,
}

impl std::fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("summary", &self.summary).finish_non_exhaustive()
    }
}

impl<'a> Writer<'a> {
    /// Begins a backup of a collection.
    pub fn new(out: &'a mut dyn Write, collection: &str) -> Result<Self, BackupError> {
        let summary = BackupSummary {
            collection: collection.to_owned(),
            documents: 0,
            deliveries: 0,
            sha256: String::new(),
        };
        let mut writer = Self { out, digest: Sha256::new(), summary };
        writer.json(&Header { version: VERSION, collection: collection.to_owned() })?;
        Ok(writer)
    }

    /// Writes a document. Documents come by ascending id.
    pub fn document(&mut self, document: &Document) -> Result<(), BackupError> {
        // It would be read as two.
        if document.bytes.contains(&b'\n')
            || ObjectId::of_document(&document.bytes) != Some(document.id)
        {
            return Err(StoreError::DamagedDocument { id: document.id }.into());
        }
        self.summary.documents += 1;
        self.line(&document.bytes)
    }

    /// Writes a delivery. Deliveries come by ascending id.
    pub fn delivery(&mut self, id: ObjectId, delivery: &Delivery) -> Result<(), BackupError> {
        self.summary.deliveries += 1;
        self.json(&DeliveryLine { delivery: DeliveryFields::new(id, delivery) })
    }

    /// Writes an address that gets no mails. They come by ascending digest.
    pub fn suppression(&mut self, suppression: &Suppression) -> Result<(), BackupError> {
        let Suppression { address, since } = *suppression;
        let address = address.to_string();
        self.json(&SuppressionLine { suppressed: SuppressionFields { address, since } })
    }

    /// Writes since when mails are sent, in milliseconds since 1970.
    pub fn mail_since(&mut self, since: u64) -> Result<(), BackupError> {
        self.json(&MailSince { since })
    }

    /// Writes the last line, without which it is no backup.
    pub fn finish(mut self) -> Result<BackupSummary, BackupError> {
        let sha256 = hex::of(&std::mem::take(&mut self.digest).finalize());
        let BackupSummary { documents, deliveries, .. } = self.summary;
        self.json(&EndLine { end: End { documents, deliveries, sha256: sha256.clone() } })?;
        self.out.flush().map_err(BackupError::Write)?;
        Ok(BackupSummary { sha256, ..self.summary })
    }

    fn json(&mut self, line: &impl Serialize) -> Result<(), BackupError> {
        let text = serde_json::to_string(line).map_err(|error| BackupError::Write(error.into()))?;
        self.line(text.as_bytes())
    }

    fn line(&mut self, text: &[u8]) -> Result<(), BackupError> {
        for part in [text, b"\n"] {
            self.digest.update(part);
            self.out.write_all(part).map_err(BackupError::Write)?;
        }
        Ok(())
    }
}
