//! The notifications for an address.

use serde_json::json;

use super::relay::Relay;
use super::{make, notification, start, wait_for_state};
use crate::harness::http::send;
use crate::harness::{Service, temp_dir};

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn those_for_an_address_are_listed_with_a_relay_and_without() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let list = |service: &Service, query: &str| {
        let answer = send(service.address, "GET", &format!("/notifications?{query}"), None);
        assert_eq!(answer.status, 200, "{answer:?}");
        let ids = answer.json().as_array().unwrap().clone().into_iter();
        let next = answer.header("link").map(|link| link.split(['?', '>']).nth(1).unwrap().into());
        (ids.map(|it| format!("/notifications/{}", it["id"].as_str().unwrap())).collect(), next)
    };
    let service = Service::start("notifications", &data);
    let mail = |to: &str| notification(to, 3600);
    let first = make(&service, &mail("a+b@example.org"));
    let other = make(&service, &mail("b@example.org"));
    let second = make(&service, &mail("A+B@example.org"));
    let all = (vec![first.clone(), second.clone()], None::<String>);
    for asked in ["a+b@example.org", "a%2Bb%40example.org", "a%2bb@EXAMPLE.org"] {
        assert_eq!(list(&service, &format!("to_mail={asked}")), all, "{asked}");
    }
    let (page, next) = list(&service, "to_mail=a%2Bb@example.org&limit=1");
    assert_eq!(page, all.0[..1]);
    assert_eq!(list(&service, &next.unwrap()), (vec![second.clone()], None));
    for bad in ["to_mail=", "to_mail=nobody", "to_mail=a@b.c&to_mail=a@b.c"] {
        let answer = send(service.address, "GET", &format!("/notifications?{bad}"), None);
        assert_eq!(
            (answer.status, &answer.json()["details"][0]["field"]),
            (400, &json!("to_mail"))
        );
    }
    // As they are now, and after a restart.
    assert_eq!(send(service.address, "DELETE", &first, None).status, 200);
    let moved = mail("a+b@example.org").to_string();
    assert_eq!(send(service.address, "PUT", &other, Some(&moved)).status, 200);
    let now = (vec![other, second.clone()], None);
    assert_eq!(list(&service, "to_mail=a+b@example.org"), now);
    assert_eq!(list(&service, "to_mail=b@example.org"), (vec![], None));
    assert_eq!(service.terminate(), Some(0));

    let relay = Relay::start(dir.path());
    let service = start(&data, &relay, &[]);
    assert_eq!(list(&service, "to_mail=a+b@example.org"), now);
    let due = make(&service, &notification("a+b@example.org", 0));
    wait_for_state(&service, &due, "sent");
    assert_eq!(list(&service, "to_mail=a+b@example.org&state=sent"), (vec![due], None));
    assert_eq!(list(&service, "to_mail=a+b@example.org&state=scheduled"), now);
}
