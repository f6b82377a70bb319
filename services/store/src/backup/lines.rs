//! The lines of a backup that are not documents.

use serde::{Deserialize, Serialize};

use crate::{Delivery, DeliveryState, ObjectId, Tag, hex};

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    #[serde(rename = "eventpost backup")]
    pub(super) version: u64,
    #[serde(default)]
    pub(super) collection: String,
}

/// A delivery.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DeliveryLine {
    pub(super) delivery: DeliveryFields,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DeliveryFields {
    id: String,
    #[serde(flatten)]
    state: DeliveryState,
    /// In hexadecimal digits: JSON's numbers have no 64 bits everywhere.
    tag: String,
}

/// An address that gets no mails.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SuppressionLine {
    pub(super) suppressed: SuppressionFields,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SuppressionFields {
    /// The digest of the address, in hexadecimal digits.
    pub(super) address: String,
    pub(super) since: u64,
}

/// Since when mails are sent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MailSince {
    #[serde(rename = "mail since")]
    pub(super) since: u64,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EndLine {
    pub(super) end: End,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) documents: u64,
    pub(super) deliveries: u64,
    pub(super) sha256: String,
}

impl DeliveryFields {
    pub(super) fn new(id: ObjectId, delivery: &Delivery) -> Self {
        // An attempt in progress is made again where the backup is restored.
        let state = match &delivery.state {
            DeliveryState::Sending { failures } => {
                DeliveryState::Scheduled { due: 0, failures: failures.clone() }
            }
            other => other.clone(),
        };
        let tag = hex::of(&delivery.tag.0.to_be_bytes());
        Self { id: id.to_string(), state, tag }
    }

    pub(super) fn read(self) -> Result<(ObjectId, Delivery), &'static str> {
        let id = self.id.parse().map_err(|_| "its id is none")?;
        let tag = u64::from_str_radix(&self.tag, 16).map_err(|_| "its tag is none")?;
        Ok((id, Delivery { state: self.state, tag: Tag(tag) }))
    }
}
