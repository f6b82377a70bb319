use serde_json::{Value, json};
use store::StateName;

use super::super::fixture::{FUTURE, Fixture, PAST};
use super::*;

const ALL: Page = Page { after: None, limit: None };

fn parsed(documents: &[Bytes]) -> Vec<Value> {
    documents.iter().map(|document| serde_json::from_slice(document).unwrap()).collect()
}

async fn selected(delivery: &Delivery, query: &str, page: Page) -> (Vec<Value>, Option<String>) {
    let selection = delivery.select(query, page).await.unwrap().unwrap();
    (parsed(&selection.documents), selection.next)
}

/// Makes every delivery that is due end in a state.
async fn settle(fixture: &Fixture, state: DeliveryState) {
    let store = &fixture.context.service.store;
    for claim in store.claim(100, Duration::from_secs(60)).await.unwrap() {
        assert!(store.settle(&claim, state.clone()).await.unwrap());
    }
}

fn failed() -> DeliveryState {
    DeliveryState::Failed { time: 1000, attempts: 2, reason: "550 no".into() }
}

#[tokio::test]
async fn lists_by_address_and_state_have_pages_and_states_on_request() {
    let fixture = Fixture::new();
    let delivery = fixture.delivery(true);
    let mut ids = Vec::new();
    for (number, mail, time) in
        [(1, "A@b.org", PAST), (2, "c@b.org", PAST), (3, "a@B.org", PAST), (4, "a@b.org", FUTURE)]
    {
        ids.push(fixture.insert(number, mail, time).await.to_string());
    }
    settle(&fixture, failed()).await;

    let page = Page { after: None, limit: Some(1) };
    let (first, next) = selected(&delivery, "to_mail=a@b.ORG&state=failed", page).await;
    assert_eq!((first.len(), &first[0]["id"], first[0].get("state")), (1, &json!(ids[0]), None));
    let next = next.unwrap();
    assert_eq!(next, format!("to_mail=a%40b.ORG&state=failed&limit=1&after={}", ids[0]));
    let page = Page { after: ids[0].parse().ok(), ..page };
    let (second, next) = selected(&delivery, &next, page).await;
    assert_eq!((&second[0]["id"], next), (&json!(ids[2]), None));

    let (all, next) = selected(&delivery, "fields=state", ALL).await;
    assert_eq!((all.len(), next), (4, None));
    let shown = ["state", "attempts", "error", "failed"].map(|field| all[0][field].clone());
    assert_eq!(shown, [json!("failed"), json!(2), json!("550 no"), json!("1970-01-01T00:00:01Z")]);
    assert_eq!(all[3]["state"], "scheduled");
    let one = delivery.extended(ids[0].parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(parsed(&[one]), all[..1]);

    assert_eq!(delivery.select("limit=1", ALL).await, Ok(None));
    let problems = delivery.select("state=lost", ALL).await.unwrap_err();
    assert!(matches!(problems, SelectError::Query(problems) if problems[0].field == "state"));
}

#[tokio::test]
async fn what_failed_is_retried_one_by_one_or_all_at_once() {
    let fixture = Fixture::new();
    let delivery = fixture.delivery(true);
    let mut ids = Vec::new();
    for number in 1..=3 {
        ids.push(fixture.insert(number, "a@b.org", PAST).await);
    }
    settle(&fixture, failed()).await;
    let waiting = fixture.insert(4, "a@b.org", FUTURE).await;

    let refused = ActionOutcome::Refused("Only failed or expired notifications can be retried.");
    assert_eq!(delivery.run_action(waiting, "retry").await, Ok(refused));
    let missing = ObjectId::from_bytes([9; 12]);
    assert_eq!(delivery.run_action(missing, "retry").await, Ok(ActionOutcome::NotFound));
    assert_eq!(delivery.run_action(ids[0], "retry").await, Ok(ActionOutcome::Accepted));

    let retried = |query: &'static str| delivery.run_on_all("retry", query);
    assert_eq!(retried("state=expired").await, Ok(Bytes::from(r#"{"retried": 0}"#)));
    assert_eq!(retried("state=failed").await, Ok(Bytes::from(r#"{"retried": 2}"#)));
    for id in ids {
        let state = fixture.stored(id).await.state;
        assert_eq!((state.name(), state.failures()), (StateName::Scheduled, None));
    }
    let problems = retried("").await.unwrap_err();
    assert!(matches!(problems, ActionError::Query(problems) if problems[0].field == "state"));
}

#[tokio::test]
async fn without_a_relay_there_are_addresses_but_no_states() {
    let fixture = Fixture::new();
    let delivery = fixture.delivery(false);
    let id = fixture.insert(1, "a@b.org", PAST).await;
    let (found, _) = selected(&delivery, "to_mail=A@b.org", ALL).await;
    assert_eq!((&found[0]["id"], found[0].get("state")), (&json!(id.to_string()), None));
    assert!(matches!(delivery.select("state=sent", ALL).await, Err(SelectError::Query(_))));
    assert!(delivery.wants_extended("fields=state").is_err());
    let refused = ActionOutcome::Refused(NO_RELAY);
    assert_eq!(delivery.run_action(id, "retry").await, Ok(refused));
    let refused = ActionError::Refused(NO_RELAY);
    assert_eq!(delivery.run_on_all("retry", "state=failed").await, Err(refused));
}
