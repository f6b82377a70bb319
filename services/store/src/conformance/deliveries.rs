//! Deliveries: scheduled with their documents, claimed, settled, retried and expired.

use std::time::Duration;

use super::*;
use crate::clock::now;
use crate::{Claim, DeliveryFilter, DeliveryState, FailedAttempts, RetryOutcome, StateName};

const DAY: Duration = Duration::from_secs(86_400);
const LEASE: Duration = Duration::from_secs(60);

of_every_engine! {
    what_is_due_is_claimed_once_the_longest_due_first,
    what_is_removed_or_replaced_while_it_is_sent_is_not_settled,
    what_was_sent_is_sent_again_only_at_a_later_time,
    only_what_was_given_up_is_retried,
    many_are_retried_in_steps,
    only_what_is_first_seen_too_late_expires,
    deliveries_are_selected_by_recipient_and_state,
    a_claim_ends_with_its_lease,
    of_several_that_claim_each_gets_others,
}

fn mail(n: u32, recipient: &str, due: u64) -> String {
    format!("{n}|5|text|place|topic|{recipient}|{due}")
}

async fn claim(fixture: &Fixture) -> Vec<Claim> {
    fixture.store.claim(10, LEASE).await.unwrap()
}

async fn state(fixture: &Fixture, n: u32) -> DeliveryState {
    fixture.store.delivery(id(n)).await.unwrap().unwrap().1.unwrap().state
}

fn failed() -> DeliveryState {
    DeliveryState::Failed { time: 7, attempts: 2, reason: "550 no such user".into() }
}

async fn what_is_due_is_claimed_once_the_longest_due_first(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    fixture.insert(1, &mail(1, "a@b.org", 20)).await;
    fixture.insert(2, &mail(2, "a@b.org", 10)).await;
    let later = now() + 3_600_000;
    fixture.insert(3, &mail(3, "a@b.org", later)).await;
    fixture.insert(4, "no mail").await;
    assert_eq!(fixture.store.next_due().await, Ok(Some(10)));
    let claims = claim(&fixture).await;
    let ids: Vec<_> = claims.iter().map(|claim| number(claim.document.id)).collect();
    assert_eq!(ids, [2, 1]);
    assert_eq!(claims[0].document, document(2, &mail(2, "a@b.org", 10)));
    assert_eq!(claim(&fixture).await, []);
    assert_eq!(state(&fixture, 1).await, DeliveryState::Sending { failures: None });
    assert_eq!(fixture.count(StateName::Sending).await, 2);
    // What is claimed becomes due again when its lease ends.
    let due = fixture.store.next_due().await.unwrap().unwrap();
    assert!(due > now() && due < later, "{due}");
    assert!(fixture.store.settle(&claims[0], failed()).await.unwrap());
    assert!(!fixture.store.settle(&claims[0], failed()).await.unwrap());
    assert_eq!(state(&fixture, 2).await, failed());
    assert_eq!(fixture.count(StateName::Failed).await, 1);
}

async fn what_is_removed_or_replaced_while_it_is_sent_is_not_settled(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    for n in 1..=3 {
        fixture.insert(n, &mail(n, "a@b.org", 10)).await;
    }
    let claims = claim(&fixture).await;
    fixture.insert(1, &mail(1, "c@b.org", 11)).await;
    fixture.insert(2, &mail(2, "a@b.org", 10)).await;
    fixture.remove(3).await.unwrap();
    let sent = DeliveryState::Sent { time: 12, attempts: 1 };
    let settled = async |n: usize| fixture.store.settle(&claims[n], sent.clone()).await.unwrap();
    // The second was stored again as it was: it is the same mail.
    assert_eq!((settled(0).await, settled(1).await, settled(2).await), (false, true, false));
    assert_eq!(state(&fixture, 1).await, DeliveryState::Scheduled { due: 11, failures: None });
    assert_eq!(fixture.store.delivery(id(3)).await, Ok(None));
    assert_eq!(fixture.count(StateName::Sending).await, 0);
}

async fn what_was_sent_is_sent_again_only_at_a_later_time(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    fixture.insert(1, &mail(1, "a@b.org", 10)).await;
    let claims = claim(&fixture).await;
    let sent = DeliveryState::Sent { time: 12, attempts: 1 };
    assert!(fixture.store.settle(&claims[0], sent.clone()).await.unwrap());
    fixture.insert(1, &mail(1, "a@b.org", 11)).await;
    assert_eq!(state(&fixture, 1).await, sent);
    let due = now() + 3_600_000;
    fixture.insert(1, &mail(1, "a@b.org", due)).await;
    assert_eq!(state(&fixture, 1).await, DeliveryState::Scheduled { due, failures: None });
}

async fn only_what_was_given_up_is_retried(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    for n in 1..=3 {
        fixture.insert(n, &mail(n, "a@b.org", 10)).await;
    }
    let claims = claim(&fixture).await;
    fixture.store.settle(&claims[0], failed()).await.unwrap();
    fixture.store.settle(&claims[1], failed()).await.unwrap();
    let failures = Some(FailedAttempts { first: 5, count: 3, reason: "451 busy".into() });
    let again = DeliveryState::Scheduled { due: now() + 3_600_000, failures };
    fixture.store.settle(&claims[2], again.clone()).await.unwrap();
    assert_eq!(state(&fixture, 3).await, again);
    assert_eq!(fixture.store.retry(id(3)).await, Ok(RetryOutcome::NotFailed));
    assert_eq!(fixture.store.retry(id(9)).await, Ok(RetryOutcome::NotFound));
    assert_eq!(fixture.store.retry(id(1)).await, Ok(RetryOutcome::Accepted));
    assert_eq!(fixture.store.retry_all(StateName::Sent).await, Ok(0));
    assert_eq!(fixture.store.retry_all(StateName::Failed).await, Ok(1));
    assert_eq!(fixture.store.retry_all(StateName::Failed).await, Ok(0));
    assert!(matches!(state(&fixture, 2).await, DeliveryState::Scheduled { failures: None, .. }));
    assert_eq!(claim(&fixture).await.len(), 2);
}

async fn many_are_retried_in_steps(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    let count = 2500;
    let writes: Vec<_> =
        (0..count).map(|n| fixture.store.write(insert(n, &mail(n, "a@b.org", 10)))).collect();
    for write in writes {
        write.await.unwrap();
    }
    // They are overdue by more than the expiry when mails are sent for the first time.
    fixture.store.start_sending(DAY).await.unwrap();
    assert_eq!(fixture.count(StateName::Expired).await, u64::from(count));
    assert_eq!(fixture.store.retry_all(StateName::Expired).await, Ok(u64::from(count)));
    fixture.store.start_sending(DAY).await.unwrap();
    assert_eq!(fixture.count(StateName::Scheduled).await, u64::from(count));
}

async fn only_what_is_first_seen_too_late_expires(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    let (overdue, late) = (now() - 2 * 86_400_000, now() - 1000);
    fixture.insert(1, &mail(1, "a@b.org", overdue)).await;
    fixture.insert(2, &mail(2, "a@b.org", late)).await;
    assert!(matches!(state(&fixture, 1).await, DeliveryState::Scheduled { .. }));
    fixture.store.start_sending(DAY).await.unwrap();
    assert!(matches!(state(&fixture, 1).await, DeliveryState::Expired { .. }));
    assert!(matches!(state(&fixture, 2).await, DeliveryState::Scheduled { .. }));
    fixture.insert(3, &mail(3, "a@b.org", overdue)).await;
    assert!(matches!(state(&fixture, 3).await, DeliveryState::Expired { .. }));
    // Also in a start in which no mails are sent.
    let fixture = fixture.reopened().await;
    fixture.insert(4, &mail(4, "a@b.org", overdue)).await;
    assert!(matches!(state(&fixture, 4).await, DeliveryState::Expired { .. }));
}

async fn deliveries_are_selected_by_recipient_and_state(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    for n in 1..=6 {
        let recipient = if n % 2 == 0 { "even@b.org" } else { "odd@b.org" };
        fixture.insert(n, &mail(n, recipient, u64::from(n))).await;
    }
    fixture.insert(7, "no mail").await;
    let claims = fixture.store.claim(2, LEASE).await.unwrap();
    for claim in &claims {
        fixture.store.settle(claim, failed()).await.unwrap();
    }
    let select = async |recipient: Option<&str>, state, after: Option<u32>, limit| {
        let (recipient, after) = (recipient.map(str::to_owned), after.map(id));
        let filter = DeliveryFilter { recipient, state, after, limit };
        let found = fixture.store.deliveries(filter).await.unwrap();
        found.into_iter().map(|(document, _)| number(document.id)).collect::<Vec<_>>()
    };
    assert_eq!(select(Some("even@b.org"), None, None, 9).await, [2, 4, 6]);
    assert_eq!(select(Some("even@b.org"), None, Some(2), 1).await, [4]);
    assert_eq!(select(Some("even@b.org"), Some(StateName::Failed), None, 9).await, [2]);
    assert_eq!(select(None, Some(StateName::Failed), None, 9).await, [1, 2]);
    assert_eq!(select(None, Some(StateName::Scheduled), Some(4), 9).await, [5, 6]);
    assert_eq!(select(None, None, Some(5), 9).await, [6, 7]);
    assert_eq!(select(Some("none@b.org"), None, None, 9).await, [0; 0]);
}

async fn a_claim_ends_with_its_lease(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    fixture.insert(1, &mail(1, "a@b.org", 10)).await;
    let first = fixture.store.claim(1, Duration::ZERO).await.unwrap();
    let second = claim(&fixture).await;
    assert_eq!((first.len(), second.len()), (1, 1));
    assert!(!fixture.store.settle(&first[0], failed()).await.unwrap());
    assert!(fixture.store.settle(&second[0], failed()).await.unwrap());
}

async fn of_several_that_claim_each_gets_others(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    for n in 1..=60 {
        fixture.insert(n, &mail(n, "a@b.org", u64::from(n))).await;
    }
    let other = fixture.other().await.unwrap_or_else(|| Arc::clone(&fixture.store));
    let claims = [&fixture.store, &other].repeat(4).into_iter().map(|store| {
        let store = Arc::clone(store);
        tokio::spawn(async move { store.claim(10, LEASE).await.unwrap() })
    });
    let mut ids = Vec::new();
    for claimed in claims.collect::<Vec<_>>() {
        ids.extend(claimed.await.unwrap().iter().map(|claim| number(claim.document.id)));
    }
    ids.extend(
        fixture.store.claim(60, LEASE).await.unwrap().iter().map(|it| number(it.document.id)),
    );
    ids.sort_unstable();
    assert_eq!(ids, (1..=60).collect::<Vec<_>>());
}
