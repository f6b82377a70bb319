//! Reads a backup, and checks all of it.

use std::io::{BufRead, Read};

use bytes::Bytes;
use serde::de::{DeserializeOwned, IgnoredAny};
use sha2::{Digest, Sha256};

use super::lines::{DeliveryLine, EndLine, Header, MailSince, SuppressionLine};
use super::{BackupError, BackupSummary, VERSION};
use crate::{Delivery, Document, ObjectId, Suppression, hex};

/// Longer lines are nobody's documents.
pub(super) const MAX_LINE: u64 = 1 << 20;

/// A line of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A document.
    Document(Document),
    /// The delivery of a document before it.
    Delivery(ObjectId, Delivery),
    /// An address that gets no mails.
    Suppression(Suppression),
    /// Since when mails are sent, in milliseconds since 1970.
    MailSince(u64),
    /// The end: everything before it is as it was written.
    End(BackupSummary),
}

/// Reads the lines of a backup. Nothing of it is certain before its end was read.
pub struct Reader<'a> {
    input: &'a mut dyn BufRead,
    digest: Sha256,
    line: u64,
    summary: BackupSummary,
    /// The last document, and the last delivery once there was one.
    last: (Option<ObjectId>, Option<ObjectId>),
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("summary", &self.summary).finish_non_exhaustive()
    }
}

impl<'a> Reader<'a> {
    /// Reads the first line. It is an error if the backup is of another collection than this.
    pub fn new(input: &'a mut dyn BufRead, collection: Option<&str>) -> Result<Self, BackupError> {
        let mut reader = Self {
            input,
            digest: Sha256::new(),
            line: 0,
            summary: BackupSummary {
                collection: String::new(),
                documents: 0,
                deliveries: 0,
                sha256: String::new(),
            },
            last: (None, None),
        };
        let line = match reader.read_line() {
            Ok(line) => line,
            Err(BackupError::Read(error)) => return Err(BackupError::Read(error)),
            Err(_) => return Err(BackupError::NotABackup),
        };
        let header: Header = serde_json::from_slice(&line).map_err(|_| BackupError::NotABackup)?;
        if header.version > VERSION {
            return Err(BackupError::Newer { found: header.version });
        }
        if let Some(expected) = collection.filter(|expected| *expected != header.collection) {
            let expected = expected.to_owned();
            return Err(BackupError::OtherCollection { found: header.collection, expected });
        }
        reader.summary.collection = header.collection;
        reader.digest.update(&line);
        Ok(reader)
    }

    /// What the backup is of.
    pub fn collection(&self) -> &str {
        &self.summary.collection
    }

    /// The next line.
    pub fn read(&mut self) -> Result<Item, BackupError> {
        let line = self.read_line()?;
        if line.starts_with(b"{\"end\":") {
            return self.end(&line);
        }
        self.digest.update(&line);
        let line = &line[..line.len() - 1];
        if let Some(id) = ObjectId::of_document(line) {
            if self.last.0.is_some_and(|last| last >= id) || self.summary.deliveries > 0 {
                return Err(self.damaged("a document is not at its place"));
            }
            self.check_json(line)?;
            self.last.0 = Some(id);
            self.summary.documents += 1;
            return Ok(Item::Document(Document::new(id, Bytes::copy_from_slice(line))));
        }
        if line.starts_with(b"{\"delivery\":") {
            let DeliveryLine { delivery } = self.parse(line)?;
            let (id, delivery) = delivery.read().map_err(|problem| self.damaged(problem))?;
            if self.last.1.is_some_and(|last| last >= id) {
                return Err(self.damaged("a delivery is not at its place"));
            }
            self.last.1 = Some(id);
            self.summary.deliveries += 1;
            return Ok(Item::Delivery(id, delivery));
        }
        if line.starts_with(b"{\"suppressed\":") {
            let SuppressionLine { suppressed } = self.parse(line)?;
            let address = suppressed.address.parse().map_err(|problem| self.damaged(problem))?;
            return Ok(Item::Suppression(Suppression { address, since: suppressed.since }));
        }
        let MailSince { since } = self.parse(line)?;
        Ok(Item::MailSince(since))
    }

    fn end(&mut self, line: &[u8]) -> Result<Item, BackupError> {
        let EndLine { end } = self.parse(line)?;
        let sha256 = hex::of(&std::mem::take(&mut self.digest).finalize());
        let BackupSummary { documents, deliveries, .. } = self.summary;
        if (end.documents, end.deliveries) != (documents, deliveries) || end.sha256 != sha256 {
            return Err(self.damaged("it does not have what its last line says"));
        }
        let mut rest = [0];
        if self.input.read(&mut rest).map_err(BackupError::Read)? > 0 {
            return Err(self.damaged("something follows its end"));
        }
        self.summary.sha256 = sha256;
        Ok(Item::End(self.summary.clone()))
    }

    /// The next line, with its end.
    fn read_line(&mut self) -> Result<Vec<u8>, BackupError> {
        let mut line = Vec::new();
        let mut limited = (&mut *self.input).take(MAX_LINE);
        limited.read_until(b'\n', &mut line).map_err(BackupError::Read)?;
        if line.last() != Some(&b'\n') {
            return Err(if line.len() as u64 == MAX_LINE {
                BackupError::Damaged { line: self.line + 1, problem: "it is too long".into() }
            } else {
                BackupError::CutOff { line: self.line }
            });
        }
        self.line += 1;
        Ok(line)
    }

    /// Checks that a line that begins as an object does is a whole one.
    fn check_json(&self, line: &[u8]) -> Result<(), BackupError> {
        // What is ignored is not checked for being UTF-8.
        let text = std::str::from_utf8(line).map_err(|error| self.damaged(&error.to_string()))?;
        let checked = serde_json::from_str::<IgnoredAny>(text);
        checked.map(drop).map_err(|error| self.damaged(&error.to_string()))
    }

    fn parse<T: DeserializeOwned>(&self, line: &[u8]) -> Result<T, BackupError> {
        serde_json::from_slice(line).map_err(|error| self.damaged(&error.to_string()))
    }

    fn damaged(&self, problem: &str) -> BackupError {
        BackupError::Damaged { line: self.line, problem: problem.to_owned() }
    }
}
