//! Addressees end mails, and operators export and erase what is stored about them.

use serde_json::json;

use super::{Reminders, header, link};
use crate::harness::http::{ask, send};
use crate::harness::{temp_dir, wait_for};
use crate::mail::notification;

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn whoever_unsubscribes_gets_nothing_until_they_want_mails_again() {
    let dir = temp_dir();
    let stack = Reminders::start(dir.path(), &["--timezone", "UTC"], &[]);
    let address = stack.notifications.address;
    let post = |seconds: i64| {
        let body = notification("somebody@example.org", seconds).to_string();
        let made = send(address, "POST", "/notifications", Some(&body));
        assert_eq!(made.status, 201, "{made:?}");
        made.header("location").unwrap().to_owned()
    };
    post(0);
    let mail = stack.mail(1);
    let end = header(&mail, "List-Unsubscribe").unwrap();
    let end = end.strip_prefix('<').and_then(|it| it.strip_suffix('>')).unwrap().to_owned();
    assert!(!end.contains("somebody"), "{end}");
    // A look changes nothing; mail programs send this form.
    assert!(stack.follow("GET", &end, "").body.contains("Stop all mails to me"));
    let ended = stack.follow("POST", &end, "List-Unsubscribe=One-Click");
    assert!(ended.status == 200 && ended.body.contains("No more mails"), "{ended:?}");

    let path = post(0);
    let state = || send(address, "GET", &format!("{path}?fields=state"), None).json();
    let failed = wait_for("the refusal", || Some(state()).filter(|it| it["state"] == "failed"));
    assert!(failed.to_string().contains("the addressee has unsubscribed"), "{failed}");
    let offer = stack.offer("Market", 86_400);
    assert_eq!(stack.ask(&offer, "Somebody@example.org", "1h").status, 202);
    let list = send(address, "GET", "/notifications", None).json();
    assert_eq!(list.as_array().unwrap().len(), 2, "{list}");

    let undone = stack.follow("POST", &end, "undo=yes");
    assert!(undone.body.contains("Mails are sent again"), "{undone:?}");
    assert_eq!(stack.ask(&offer, "somebody@example.org", "1h").status, 202);
    assert!(link(&stack.mail(2), "/confirm").contains("/confirm?s="));
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn what_is_confirmed_after_the_end_of_all_mails_is_not_promised() {
    let dir = temp_dir();
    let stack = Reminders::start(dir.path(), &["--timezone", "UTC"], &[]);
    let offer = stack.offer("Market", 86_400);
    assert_eq!(stack.ask(&offer, "a+1@example.org", "1h").status, 202);
    let mail = stack.mail(1);
    let end = link(&mail, "/unsubscribe");
    let foreign = "Origin: https://elsewhere.example\r\n";
    let path = end.strip_prefix(super::PUBLIC_URL).unwrap();
    let refused = ask(stack.notifications.address, "POST", path, foreign, "");
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(stack.follow("POST", &end, "").status, 200);
    let confirmed = stack.follow("POST", &link(&mail, "/confirm"), "");
    assert!(confirmed.body.contains("No more mails"), "{confirmed:?}");
    // Another address of the same mailbox is one of theirs, too.
    assert_eq!(stack.ask(&offer, "a+2@example.org", "1h").status, 202);
    let list = send(stack.notifications.address, "GET", "/notifications", None).json();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
}

#[test]
#[ignore = "needs a mail relay: run scripts/test"]
fn operators_see_and_set_who_gets_no_mails() {
    let dir = temp_dir();
    let stack = Reminders::start(dir.path(), &[], &[]);
    let suppression = |query: &str| {
        let path = format!("/notifications/suppression?{query}");
        let answer = ask(stack.notifications.address, "POST", &path, "", "");
        (answer.status, answer.json())
    };
    let (yes, no) = (json!({"suppressed": "yes"}), json!({"suppressed": "no"}));
    assert_eq!(suppression("to_mail=a@b.org"), (202, no.clone()));
    assert_eq!(suppression("to_mail=a@b.org&set=on"), (202, yes.clone()));
    assert_eq!(suppression("to_mail=A@b.org"), (202, yes));
    assert_eq!(suppression("to_mail=a@b.org&set=off"), (202, no));
    assert_eq!(suppression("to_mail=a").0, 400);
}
