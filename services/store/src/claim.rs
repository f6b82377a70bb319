//! Deliveries as they are stored, selected and claimed.

use crate::{DeliveryState, Document, ObjectId, StateName, Tag};

/// What is known of a document's delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its state.
    pub state: DeliveryState,
    /// The tag of the content that it is the state of.
    pub tag: Tag,
}

/// Which deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Those to this address, in lower case.
    pub recipient: Option<String>,
    /// Those in this state.
    pub state: Option<StateName>,
    /// Those of documents with greater ids.
    pub after: Option<ObjectId>,
    /// At most so many.
    pub limit: usize,
}

/// A delivery that somebody is to attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The document to be sent.
    pub document: Document,
    /// The delivery, which is [`DeliveryState::Sending`].
    pub delivery: Delivery,
    /// Tells this claim from later ones.
    pub(crate) token: i64,
}

impl Claim {
    /// A claim as an engine makes it; `token` tells it from later claims of the same delivery.
    pub const fn new(document: Document, delivery: Delivery, token: i64) -> Self {
        Self { document, delivery, token }
    }

    /// What tells this claim from later ones of the same delivery.
    pub const fn token(&self) -> i64 {
        self.token
    }
}

/// How a retry by hand ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryOutcome {
    /// It is due now.
    Accepted,
    /// There is no such delivery.
    NotFound,
    /// It has neither failed nor expired.
    NotFailed,
}
