//! Bounds the memory of answers that are being sent: clients that ask for much and read slowly
//! are refused before they use up what others need.

use std::sync::Arc;

use bytes::Bytes;
use store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::limits::Share;

/// The memory of all answers under way, in bytes.
const BUDGET_BYTES: usize = 32 << 20;
/// What one permit stands for, in bytes.
const UNIT: usize = 1 << 10;
/// What a list takes that is read while it is sent: a chunk that is sent, one that is read, and
/// what compresses them.
pub(crate) const STREAM_BYTES: usize = 192 << 10;
/// Shorter answers do not count: there are no more of them than connections.
const SMALL: usize = 8 << 10;
/// Resources that may be read for pages at once: what a page takes is known only when its
/// resources are in memory.
const PAGED: usize = 2000;

/// The memory that answers may take.
#[derive(Debug, Clone)]
pub(crate) struct AnswerBudget {
    memory: Arc<Semaphore>,
    paged: Arc<Semaphore>,
}

/// The memory of one answer, until the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct BudgetPermit {
    _memory: Option<Arc<OwnedSemaphorePermit>>,
    /// What the client holds with it.
    shares: Vec<Arc<Share>>,
}

/// Bytes with the permit for them.
struct Held {
    bytes: Bytes,
    _permit: BudgetPermit,
}

impl Default for AnswerBudget {
    fn default() -> Self {
        let memory = Arc::new(Semaphore::new(BUDGET_BYTES / UNIT));
        Self { memory, paged: Arc::new(Semaphore::new(PAGED)) }
    }
}

impl AnswerBudget {
    /// As [`Self::take`], for a length of any size.
    pub(crate) fn take_length(&self, length: u64) -> Result<Option<BudgetPermit>, StoreError> {
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Takes the memory of an answer; `None` if it is small.
    pub(crate) fn take(&self, bytes: usize) -> Result<Option<BudgetPermit>, StoreError> {
        if bytes <= SMALL {
            return Ok(None);
        }
        // One that is longer than the whole budget waits for all others to end.
        let units = bytes.div_ceil(UNIT).min(BUDGET_BYTES / UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        match Arc::clone(&self.memory).try_acquire_many_owned(units) {
            Ok(permit) => {
                Ok(Some(BudgetPermit { _memory: Some(Arc::new(permit)), shares: Vec::new() }))
            }
            Err(_) => Err(StoreError::Busy { why: "too many long answers are being read" }),
        }
    }

    /// Waits until a page of so many resources may be read. It has been read when the permit is
    /// dropped.
    pub(crate) async fn read_page(&self, limit: usize) -> Option<SemaphorePermit<'_>> {
        let limit = u32::try_from(limit.min(PAGED)).unwrap_or(u32::MAX);
        self.paged.acquire_many(limit).await.ok()
    }
}

impl BudgetPermit {
    /// What a client holds of an answer whose memory others have taken, too.
    pub(crate) fn of_share(share: Share) -> Self {
        Self { _memory: None, shares: vec![Arc::new(share)] }
    }

    /// The permit, with something more that the client holds until then.
    pub(crate) fn and_share(mut self, share: Option<Share>) -> Self {
        self.shares.extend(share.map(Arc::new));
        self
    }

    /// The same bytes, which hold the permit until the last copy of them is dropped: the
    /// connection that sends them has them longer than the body that they come from.
    pub(crate) fn hold(&self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Held { bytes, _permit: self.clone() })
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_answers_are_refused_until_others_have_ended() {
        let budget = AnswerBudget::default();
        assert!(budget.take(SMALL).unwrap().is_none());
        let half = budget.take(BUDGET_BYTES / 2).unwrap();
        let rest = budget.take(BUDGET_BYTES / 2).unwrap();
        assert!(budget.take(SMALL + 1).is_err());
        drop(half);
        assert!(budget.take(SMALL + 1).is_ok());
        let sent = rest.unwrap().hold(Bytes::from_static(b"sent"));
        assert!(budget.take(BUDGET_BYTES / 2 + 1).is_err(), "it is being sent");
        drop(sent);
        assert!(budget.take(10 * BUDGET_BYTES).is_ok());
    }
}
