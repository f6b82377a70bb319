//! Claims due mails, as many as connections and the rate allow, until the service stops.

use std::sync::Arc;
use std::time::Duration;

use store::StoreError;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::attempt::{Attempt, RETRY_DELAY};
use super::relay::CONNECTIONS;
use super::{DeliveryContext, now, stopped};

/// The longest time between two looks at the clock, which may be set.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// The shortest time between two looks at the store while others write.
const MIN_PAUSE: Duration = Duration::from_millis(10);
/// How long a claimed mail is kept from others: longer than an attempt takes, and not much longer
/// than anybody wants to wait for the mails of a process that has died.
const LEASE: Duration = Duration::from_secs(60);
/// Mails whose attempts begin within this time are claimed together.
const BATCH_TIME: Duration = Duration::from_millis(50);

/// Works until the service stops, and then finishes the attempts in progress.
pub(super) async fn run(context: Arc<DeliveryContext>) {
    // `stop` waits until this is dropped.
    let mut stopping = context.stopping.subscribe();
    let mut worker = Worker::new(context);
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stopping) => break,
            // Only this loop takes connections: one that is free now is free below.
            _ = worker.connections.acquire() => {}
        }
        // This is never cancelled: mails that are claimed must be attempted or handed back.
        let pause = worker.step().await;
        tokio::select! {
            biased;
            () = stopped(&mut stopping) => break,
            () = worker.pause(pause) => {}
        }
    }
    // The relay may accept the mails in progress at any moment, which should be recorded.
    let _ = worker.connections.acquire_many(CONNECTIONS).await;
}

/// What claims mails.
struct Worker {
    context: Arc<DeliveryContext>,
    /// The free connections to the relay.
    connections: Arc<Semaphore>,
    rate: Rate,
    /// Whether the store knows that mails are sent.
    started: bool,
}

impl Worker {
    fn new(context: Arc<DeliveryContext>) -> Self {
        let rate = Rate::new(context.settings.rate);
        let connections = Arc::new(Semaphore::new(CONNECTIONS as usize));
        Self { context, connections, rate, started: false }
    }

    /// Begins attempts if mails are due. Returns how long nothing else is due.
    async fn step(&mut self) -> Duration {
        let result = if self.started { self.claim().await } else { self.start().await };
        result.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read the notifications to send");
            RETRY_DELAY
        })
    }

    async fn start(&mut self) -> Result<Duration, StoreError> {
        let service = &self.context.service;
        let Some(_permit) = service.writes.begin() else { return Ok(RETRY_DELAY) };
        service.store.start_sending(self.context.settings.expiry).await?;
        self.started = true;
        Ok(Duration::ZERO)
    }

    async fn claim(&mut self) -> Result<Duration, StoreError> {
        let service = &self.context.service;
        let Some(due) = service.store.next_due().await? else { return Ok(MAX_PAUSE) };
        let wait = Duration::from_millis(due.saturating_sub(now()));
        let wait = wait.max(self.rate.wait(Instant::now()));
        if !wait.is_zero() {
            return Ok(wait.min(MAX_PAUSE));
        }
        // While the service is read-only, its data may be on the way to another service, which
        // will send the mails.
        let Some(permit) = service.writes.begin_owned() else { return Ok(RETRY_DELAY) };
        let permit = Arc::new(permit);
        let limit = self.connections.available_permits().min(self.rate.batch());
        let claimed = Instant::now();
        let claims = service.store.claim(limit, LEASE).await?;
        if claims.is_empty() {
            return Ok(RETRY_DELAY);
        }
        for claim in claims {
            let Ok(connection) = Arc::clone(&self.connections).acquire_owned().await else {
                break;
            };
            let (begin, end_of_lease) = (self.rate.take(Instant::now()), claimed + LEASE);
            let attempt = Attempt { claim, begin, end_of_lease };
            let (context, permit) = (Arc::clone(&self.context), Arc::clone(&permit));
            tokio::spawn(async move {
                attempt.run(&context).await;
                context.changed.notify_one();
                drop((permit, connection));
            });
        }
        Ok(Duration::ZERO)
    }

    /// Waits, and less long if something has changed.
    async fn pause(&self, time: Duration) {
        let least = time.min(MIN_PAUSE);
        if least.is_zero() {
            return;
        }
        sleep(least).await;
        tokio::select! {
            () = sleep(time.saturating_sub(least)) => {}
            () = self.context.changed.notified() => {}
        }
    }
}

/// How often attempts may begin.
struct Rate {
    gap: Duration,
    next: Instant,
}

impl Rate {
    fn new(per_second: u32) -> Self {
        Self { gap: Duration::from_secs(1) / per_second, next: Instant::now() }
    }

    /// How long no attempt may begin.
    fn wait(&self, now: Instant) -> Duration {
        self.next.saturating_duration_since(now)
    }

    /// How many may begin within [`BATCH_TIME`], and at least one.
    fn batch(&self) -> usize {
        let count = BATCH_TIME.as_nanos() / self.gap.as_nanos().max(1);
        usize::try_from(count).unwrap_or(usize::MAX).max(1)
    }

    /// When the next attempt may begin, which is then taken.
    fn take(&mut self, now: Instant) -> Instant {
        let begin = self.next.max(now);
        self.next = begin + self.gap;
        begin
    }
}

#[cfg(test)]
mod tests;
