//! Bounds the memory of answers that are being sent: clients that ask for much and read slowly
//! are refused before they use up what others need.

use std::sync::Arc;

use store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The memory of all answers under way, in bytes. Answers that are shared do not count.
const BUDGET_BYTES: usize = 32 << 20;
/// What one permit stands for, in bytes.
const UNIT: usize = 1 << 10;
/// What a list takes that is read while it is sent: a chunk that is sent, one that is read, and
/// what compresses them.
pub(crate) const STREAM_BYTES: usize = 192 << 10;
/// Shorter answers do not count: there are no more of them than connections.
const SMALL: usize = 8 << 10;

/// The memory that answers may take.
#[derive(Debug, Clone)]
pub(crate) struct AnswerBudget(Arc<Semaphore>);

/// The memory of one answer, until it is dropped.
#[derive(Debug)]
pub(crate) struct BudgetPermit(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

impl Default for AnswerBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BUDGET_BYTES / UNIT)))
    }
}

impl AnswerBudget {
    /// Takes the memory of an answer; `None` if it is small.
    pub(crate) fn take(&self, bytes: usize) -> Result<Option<BudgetPermit>, StoreError> {
        if bytes <= SMALL {
            return Ok(None);
        }
        // One that is longer than the whole budget waits for all others to end.
        let units = bytes.div_ceil(UNIT).min(BUDGET_BYTES / UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        match Arc::clone(&self.0).try_acquire_many_owned(units) {
            Ok(permit) => Ok(Some(BudgetPermit(permit))),
            Err(_) => Err(StoreError::Busy { why: "too many long answers are being read" }),
        }
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
        drop(rest);
        assert!(budget.take(10 * BUDGET_BYTES).is_ok());
    }
}
