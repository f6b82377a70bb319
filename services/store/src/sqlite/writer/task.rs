//! What the writer is to do, and what comes back.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::{
    AddressDigest, Claim, DeliveryState, ObjectId, RetryOutcome, StateName, StoreError, Write,
    WriteOutcome,
};

/// A task, and where its answer goes.
#[derive(Debug)]
pub(in super::super) struct Job {
    pub(in super::super) task: Task,
    pub(in super::super) reply: oneshot::Sender<Result<Answer, StoreError>>,
}

/// Something to be done in one transaction.
#[derive(Debug)]
pub(in super::super) enum Task {
    Write(Write),
    /// Mails are sent from now on; expires some deliveries of documents after this one.
    Start {
        expiry: Duration,
        after: Option<ObjectId>,
    },
    Claim {
        limit: usize,
        lease: Duration,
    },
    Settle {
        id: ObjectId,
        token: i64,
        state: DeliveryState,
    },
    Retry(ObjectId),
    /// Retries some deliveries in a state, of documents after this one.
    RetrySome {
        state: StateName,
        after: Option<ObjectId>,
    },
    /// Removes documents whose time has come.
    RemoveDue {
        limit: usize,
    },
    Suppress {
        address: AddressDigest,
        is_suppressed: bool,
    },
    /// Forgets some words that no document has any more, of those after one.
    ForgetWords {
        after: String,
    },
    Close,
}

/// What a task returns.
#[derive(Debug)]
pub(in super::super) enum Answer {
    Write(WriteOutcome),
    Claims(Vec<Claim>),
    Settled(bool),
    Retry(RetryOutcome),
    /// How many were changed, and the last of them if there may be more.
    Some(u64, Option<ObjectId>),
    /// How many documents were looked at.
    Count(usize),
    /// The last word that was looked at, if there may be more.
    Word(Option<String>),
    Done,
}

impl Task {
    /// The bytes of the document that it brings.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Write(write) => write.bytes(),
            _ => 0,
        }
    }

    /// Whether it may use the room that is kept for a full disk: a removal frees some, and a mail
    /// that was sent and is not recorded would be sent again. Whoever wants no mails has to get none.
    pub(super) const fn may_use_spare(&self) -> bool {
        matches!(
            self,
            Self::Write(Write::Remove { .. })
                | Self::Settle { .. }
                | Self::RemoveDue { .. }
                | Self::Suppress { .. }
        )
    }
}
