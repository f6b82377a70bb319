//! Attempts to deliver a claimed mail, and records how that ended.

use std::time::Duration;

use store::{AddressDigest, AttemptOutcome, Claim, DeliveryState, ObjectId, StoreError};
use tokio::time::{Instant, sleep, sleep_until};

use super::mail::StoredNotification;
use super::{DeliveryContext, now, stopped};

/// The time until a failed access to the store is retried, or a mail while the service is
/// read-only.
pub(super) const RETRY_DELAY: Duration = Duration::from_secs(1);

/// An attempt to deliver a mail.
pub(super) struct Attempt {
    pub(super) claim: Claim,
    /// When it begins.
    pub(super) begin: Instant,
    /// When the mail is due again if nothing is recorded.
    pub(super) end_of_lease: Instant,
}

impl Attempt {
    /// Makes the attempt when it is to begin. If the service stops before, the mail is handed
    /// back.
    pub(super) async fn run(self, context: &DeliveryContext) {
        let mut stopping = context.stopping.subscribe();
        let begins = tokio::select! {
            biased;
            () = stopped(&mut stopping) => false,
            () = sleep_until(self.begin) => true,
        };
        let before = &self.claim.delivery.state;
        let state = if begins {
            let outcome = self.send(context).await;
            let state = before.after(outcome, now(), context.settings.retry, jitter());
            log(self.claim.document.id, &state);
            state
        } else {
            DeliveryState::Scheduled { due: now(), failures: before.failures().cloned() }
        };
        self.settle(context, state).await;
    }

    async fn send(&self, context: &DeliveryContext) -> AttemptOutcome {
        let document = &self.claim.document;
        let Some(stored) = StoredNotification::parse(&document.bytes) else {
            return AttemptOutcome::Rejected("what is stored is no notification".into());
        };
        match context.service.store.is_suppressed(AddressDigest::of(stored.to_mail())).await {
            Ok(false) => {}
            Ok(true) => return AttemptOutcome::Rejected("the addressee has unsubscribed".into()),
            Err(error) => return AttemptOutcome::Retry(error.to_string()),
        }
        let links = context.reminders.as_ref().map(|reminders| reminders.links());
        match stored.mail(document.id, document.tag, &context.settings.from, links) {
            Ok(mail) => context.relay.send(mail).await,
            Err(problem) => AttemptOutcome::Rejected(problem),
        }
    }

    /// Records the state, and tries that again for as long as the mail is nobody else's.
    async fn settle(&self, context: &DeliveryContext, state: DeliveryState) {
        let id = self.claim.document.id;
        loop {
            let error = match context.service.store.settle(&self.claim, state.clone()).await {
                Ok(true) => return,
                Ok(false) => {
                    tracing::debug!(%id, "was replaced or deleted during the attempt");
                    return;
                }
                Err(error) => error,
            };
            tracing::error!(%error, %id, "cannot record the delivery of a notification");
            let is_final = matches!(error, StoreError::Stopped { .. } | StoreError::Damaged { .. });
            // While the database is away, nobody else can claim the mail either.
            let is_ours = matches!(error, StoreError::Unavailable { .. })
                || Instant::now() + RETRY_DELAY < self.end_of_lease;
            if is_final || !is_ours {
                tracing::error!(%id, "the notification may be sent again");
                return;
            }
            sleep(RETRY_DELAY).await;
        }
    }
}

/// Logs how an attempt ended, without the content of the mail. The relay's answer may name an
/// address.
fn log(id: ObjectId, state: &DeliveryState) {
    match state {
        DeliveryState::Sent { attempts, .. } => tracing::info!(%id, attempts, "sent"),
        DeliveryState::Failed { attempts, reason, .. } => {
            tracing::warn!(%id, attempts, reason, "failed, and will not be retried");
        }
        DeliveryState::Scheduled { failures: Some(failures), .. } => {
            let (attempts, reason) = (failures.count, &failures.reason);
            tracing::warn!(%id, attempts, reason, "failed, and will be retried");
        }
        _ => {}
    }
}

/// A random number from 0 to 1.
fn jitter() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / f64::from(u32::MAX)
}
