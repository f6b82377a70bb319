use store::{ObjectId, StateName};

use super::super::fixture::{Fixture, PAST};
use super::*;

impl Worker {
    /// Waits for the attempts in progress.
    async fn finish(&self) {
        let _ = self.connections.acquire_many(CONNECTIONS).await.unwrap();
    }
}

#[tokio::test]
async fn mails_that_fail_are_scheduled_again() {
    let fixture = Fixture::new();
    let mut worker = Worker::new(Arc::clone(&fixture.context));
    let id = fixture.insert(1, "a@b.org", PAST).await;
    assert_eq!(worker.step().await, Duration::ZERO);
    assert_eq!(worker.step().await, Duration::ZERO);
    worker.finish().await;
    let state = fixture.stored(id).await.state;
    assert_eq!((state.name(), state.failures().unwrap().count), (StateName::Scheduled, 1));
    assert!(state.due().unwrap() > now());
    let pause = worker.step().await;
    assert_eq!(pause, MAX_PAUSE);
}

#[tokio::test]
async fn no_mail_is_claimed_while_the_service_is_read_only() {
    let fixture = Fixture::new();
    let mut worker = Worker::new(Arc::clone(&fixture.context));
    let id = fixture.insert(1, "a@b.org", PAST).await;
    fixture.set_read_only(Some(Duration::from_secs(600)));
    assert_eq!((worker.step().await, worker.started), (RETRY_DELAY, false));
    fixture.set_read_only(None);
    assert_eq!((worker.step().await, worker.started), (Duration::ZERO, true));
    fixture.set_read_only(Some(Duration::from_secs(600)));
    assert_eq!(worker.step().await, RETRY_DELAY);
    let state = fixture.stored(id).await.state;
    assert_eq!((state.name(), state.failures()), (StateName::Scheduled, None));

    fixture.set_read_only(None);
    assert_eq!(worker.step().await, Duration::ZERO);
    worker.finish().await;
    assert_eq!(fixture.stored(id).await.state.failures().unwrap().count, 1);
}

#[tokio::test]
async fn no_more_mails_are_claimed_than_connections_are_free() {
    let fixture = Fixture::new();
    let mut worker = Worker::new(Arc::clone(&fixture.context));
    let mut ids = Vec::new();
    for number in 1..=6 {
        ids.push(fixture.insert(number, "a@b.org", PAST).await);
    }
    worker.step().await;
    let busy = Arc::clone(&worker.connections).acquire_many_owned(CONNECTIONS - 1).await.unwrap();
    worker.step().await;
    drop((worker.connections.acquire().await.unwrap(), busy));
    assert_eq!(attempted(&fixture, &ids).await, 1);
    worker.pause(worker.rate.wait(Instant::now())).await;
    worker.step().await;
    worker.finish().await;
    assert_eq!(attempted(&fixture, &ids).await, 1 + CONNECTIONS as usize);
}

/// How many of the notifications were attempted.
async fn attempted(fixture: &Fixture, ids: &[ObjectId]) -> usize {
    let mut attempted = 0;
    for id in ids {
        attempted += usize::from(fixture.stored(*id).await.state.failures().is_some());
    }
    attempted
}

#[tokio::test]
async fn mails_that_were_claimed_are_handed_back_when_the_service_stops() {
    let fixture = Fixture::new();
    let id = fixture.insert(1, "a@b.org", PAST).await;
    let store = &fixture.context.service.store;
    let claim = store.claim(1, LEASE).await.unwrap().remove(0);
    assert_eq!(fixture.stored(id).await.state.name(), StateName::Sending);
    fixture.context.stopping.send_replace(true);
    let later = Instant::now() + LEASE;
    let attempt = Attempt { claim, begin: later, end_of_lease: later };
    attempt.run(&fixture.context).await;
    let state = fixture.stored(id).await.state;
    assert_eq!((state.name(), state.failures()), (StateName::Scheduled, None));
    assert_eq!(store.claim(1, LEASE).await.unwrap().len(), 1);
}

#[test]
fn attempts_begin_at_the_rate_and_none_is_saved_up() {
    let mut rate = Rate::new(20);
    let now = Instant::now() + Duration::from_secs(60);
    assert_eq!(rate.wait(now), Duration::ZERO);
    let begins = [rate.take(now), rate.take(now), rate.take(now)];
    assert_eq!(begins, [0, 50, 100].map(|millis| now + Duration::from_millis(millis)));
    assert_eq!(rate.wait(now), Duration::from_millis(150));
    assert_eq!([1, 20, 200, 10_000].map(|rate| Rate::new(rate).batch()), [1, 1, 10, 500]);
}
