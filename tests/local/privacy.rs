//! `eventpost privacy`: what is stored about an address.

use serde_json::json;

use super::resources;
use crate::harness::cli::World;
use crate::harness::http::send;

#[test]
fn what_is_stored_about_an_address_is_exported_and_erased() {
    let world = World::new();
    world.describe(
        "stack: test\nservices:\n  notifications: {build: notifications}\n  \
         events: {build: events, page: {reminders: notifications}}\n",
    );
    world.up().succeeded();
    let address = world.holder("notifications").unwrap().address;
    let post = |to: &str, subject: &str| {
        let body = json!({
            "subject": subject, "content": "The event that you asked about begins soon.",
            "to_mail": to, "scheduled_time": "2999-01-01T00:00:00",
        });
        let made = send(address, "POST", "/notifications", Some(&body.to_string()));
        assert_eq!(made.status, 201, "{made:?}");
    };
    for n in 0..7 {
        post("Some+body@example.org", &format!("About event {n}"));
    }
    post("another@example.org", "About an event");

    let export = ["privacy", "export", "some+body@example.org", "--local"];
    let exported = world.run(&export).succeeded().json();
    assert_eq!(exported["suppressed"], false);
    let found = exported["notifications"].as_array().unwrap();
    assert_eq!(found.len(), 7, "{exported}");
    assert_eq!(
        (&found[0]["subject"], &found[6]["subject"]),
        (&json!("About event 0"), &json!("About event 6"),)
    );

    let erase = ["privacy", "erase", "some+body@example.org", "--local"];
    let refused = world.run(&erase);
    assert!(refused.stderr.contains("pass --yes"), "{refused:?}");
    assert_eq!(resources(&world, "notifications").len(), 8);
    let erased = world.run(&[&erase[..], &["--yes", "--suppress"]].concat()).succeeded();
    assert!(erased.stderr.contains("7 notifications deleted"), "{erased:?}");
    assert_eq!(resources(&world, "notifications")[0]["to_mail"], "another@example.org");
    let exported = world.run(&export).succeeded().json();
    assert_eq!((&exported["suppressed"], &exported["notifications"]), (&json!(true), &json!([])));

    let wrong = world.run(&["privacy", "export", "somebody", "--local"]);
    assert!(wrong.stderr.contains("`somebody` is not an email address"), "{wrong:?}");
    world.run(&["down", "--local"]).succeeded();
}

#[test]
fn the_key_for_reminders_is_made_once_and_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.describe(
        "stack: test\nservices:\n  notifications: {build: notifications}\n  \
         events: {build: events, page: {reminders: notifications}}\n",
    );
    let key = world.path().join("state/eventpost/keys/test.reminders");
    let planned = world.run(&["plan", "--local"]);
    assert!(!key.exists(), "{planned:?}");
    let up = world.up().succeeded();
    assert!(up.stderr.contains("created the key for reminders in "), "{up:?}");
    let text = std::fs::read_to_string(&key).unwrap();
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!up.stderr.contains(text.trim()), "{up:?}");
    let again = world.up().succeeded();
    assert!(again.stderr.contains("kept") && !again.stderr.contains("created"), "{again:?}");
    assert_eq!(std::fs::read_to_string(&key).unwrap(), text);
    world.run(&["down", "--local"]).succeeded();
}
