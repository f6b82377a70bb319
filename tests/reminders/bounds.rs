//! How many reminders may be asked for.

use super::{Reminders, link};
use crate::harness::http::send;
use crate::harness::temp_dir;

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn an_address_gets_three_mails_that_ask_and_none_twice() {
    let dir = temp_dir();
    let stack = Reminders::start(dir.path(), &["--timezone", "UTC"], &[]);
    let offers: Vec<_> = (1..=5).map(|n| stack.offer(&format!("Market {n}"), 86_400 + n)).collect();
    for offer in offers.iter().chain(&offers[..1]) {
        // Nobody is told how many an address has.
        assert_eq!(stack.ask(offer, "A@example.org", "1h").status, 202);
    }
    assert_eq!(stack.ask(&offers[0], "b@example.org", "1h").status, 202);
    stack.mail(4);
    let list = send(stack.notifications.address, "GET", "/notifications", None).json();
    assert_eq!(list.as_array().unwrap().len(), 4, "{list}");
    // Once they are confirmed, there is room for others.
    for n in 1..=3 {
        let mail = stack.mail(n);
        if mail["to"] == "A@example.org" {
            assert_eq!(stack.follow("POST", &link(&mail, "/confirm"), "").status, 200);
        }
    }
    assert_eq!(stack.ask(&offers[3], "a@example.org", "1h").status, 202);
    assert_eq!(stack.mail(5)["subject"], "Confirm your reminder: Market 4");
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn a_client_and_all_of_them_may_ask_for_so_many() {
    let dir = temp_dir();
    let limits = ["--limit-reminders", "2", "--reminders-per-day", "5"];
    let stack = Reminders::start(dir.path(), &["--timezone", "UTC"], &limits);
    let offer = stack.offer("Market", 86_400);
    let asked: Vec<_> =
        (0..3).map(|n| stack.ask(&offer, &format!("a{n}@example.org"), "1h")).collect();
    assert_eq!(asked.iter().map(|it| it.status).collect::<Vec<_>>(), [202, 202, 429]);
    let wait: u64 = asked[2].header("retry-after").unwrap().parse().unwrap();
    assert!((1000..=1801).contains(&wait), "{wait}");
    drop(stack);

    let dir = temp_dir();
    let stack = Reminders::start(dir.path(), &["--timezone", "UTC"], &["--reminders-per-day", "1"]);
    let offer = stack.offer("Market", 86_400);
    let statuses = ["a@example.org", "b@example.org"].map(|it| stack.ask(&offer, it, "1h").status);
    assert_eq!(statuses, [202, 429]);
}
