//! Archives as they are written, and archives that somebody prepared.

mod archives;

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::json;
use store::{Limits, Settings, SqliteStore};
use tar::EntryType;

use super::*;
use archives::*;

#[test]
fn what_was_packed_is_unpacked() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let manifest = unpack(&backup(from.path()), BOTH, to.path()).unwrap();
    assert_eq!(manifest.stack, "s");
    assert_eq!(manifest.services[1], part_of(from.path(), "notifications"));
    assert_eq!(fs::read(copy_in(to.path(), "events")).unwrap(), b"one");
    let mode = fs::metadata(copy_in(to.path(), "events")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    let folder = folder_beside(&to.path().join("x")).unwrap();
    assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn the_archives_of_these_tests_are_good_but_for_what_is_wrong_with_them() {
    let manifest = manifest(["events", "notifications"]);
    let target = Target::new();
    // As GNU tar fills up its last record.
    let mut archive = tar(&manifest, copies());
    archive.resize(archive.len().next_multiple_of(10 << 10), 0);
    target.unpack(&gzip(&archive)).unwrap();
    assert_eq!(Target::names(&target.folder).len(), 2);
}

#[test]
fn a_backup_that_is_cut_or_changed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = backup(dir.path());
    let whole = fs::read(&file).unwrap();
    for length in [0, 10, whole.len() / 2, whole.len() - 9] {
        let error = refused_at_the_end(&whole[..length]);
        assert!(error.contains("is not a complete backup"), "{length}: {error}");
    }
    let mut manifest = manifest(["events", "notifications"]);
    manifest["services"][0]["sha256"] = "0".repeat(64).into();
    let error = refused_at_the_end(&gzip(&tar(&manifest, copies())));
    assert!(error.contains("the copy of events has a wrong checksum"), "{error}");
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    for name in ["../escaped", "/tmp/escaped", "a/b", "", "..", "events\u{0}", "\u{1b}[2J"] {
        let entries = vec![file(&format!("{name}.copy"), "one"), file("notifications.copy", "two")];
        let error = refused(&tar(&manifest([name, "notifications"]), entries));
        assert!(error.contains("is not a service's name"), "{name}: {error}");
        assert!(!error.contains('\u{1b}'), "{error}");
    }
    // The manifest is good, and an entry is not.
    for name in ["../events.copy", "/events.copy", "./events.copy", "x/events.copy", "events"] {
        let entries = vec![file(name, "one"), file("notifications.copy", "two")];
        let error = refused(&tar(&manifest(["events", "notifications"]), entries));
        assert!(error.contains("instead of events.copy"), "{name}: {error}");
    }
}

#[test]
fn entries_that_are_not_regular_files_are_refused() {
    let good = manifest(["events", "notifications"]);
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Directory,
        EntryType::Fifo,
        EntryType::Char,
        EntryType::GNUSparse,
    ] {
        let entries = vec![link(kind, "events.copy"), file("notifications.copy", "two")];
        let error = refused(&tar(&good, entries));
        assert!(error.contains("events.copy is not a regular file"), "{kind:?}: {error}");
    }
    // Extensions, which say of the next entry what they like.
    for (kind, name) in [(EntryType::GNULongName, "././@LongLink"), (EntryType::XHeader, "x")] {
        let extension = Entry { kind, ..file(name, "a".repeat(1 << 20)) };
        let entries = [extension].into_iter().chain(copies()).collect();
        let error = refused(&tar(&good, entries));
        assert!(error.contains("instead of events.copy"), "{kind:?}: {error}");
    }
}

#[test]
fn only_the_services_that_are_wanted_are_taken_each_once() {
    let twice = vec![file("events.copy", "one"), file("events.copy", "two")];
    let error = refused(&tar(&manifest(["events", "events"]), twice));
    assert!(error.contains("events is listed twice"), "{error}");

    let other = vec![file("events.copy", "one"), file("other.copy", "two")];
    let error = refused(&tar(&manifest(["events", "other"]), other));
    assert!(error.contains("is a backup of events and other"), "{error}");

    let mut missing = manifest(["events", "notifications"]);
    missing["services"].as_array_mut().unwrap().pop();
    let error = refused(&tar(&missing, copies()));
    assert!(error.contains("is a backup of events, "), "{error}");

    let mut extra = manifest(["events", "notifications"]);
    let part = json!({"service": "third", "bytes": 0, "sha256": ""});
    extra["services"].as_array_mut().unwrap().push(part);
    let error = refused(&tar(&extra, copies()));
    assert!(error.contains("is a backup of events and notifications and third"), "{error}");

    let mut swapped = copies();
    swapped.swap(0, 1);
    let error = refused(&tar(&manifest(["events", "notifications"]), swapped));
    assert!(error.contains("found \"notifications.copy\" instead of events.copy"), "{error}");
    let good = manifest(["events", "notifications"]);
    let more = copies().into_iter().chain([file("more.copy", "")]).collect();
    let error = refused_at_the_end(&gzip(&tar(&good, more)));
    assert!(error.contains("unexpected \"more.copy\" after the last copy"), "{error}");
}

#[test]
fn a_copy_has_the_size_that_the_manifest_says() {
    for data in ["longer", "on", ""] {
        let entries = vec![file("events.copy", data), file("notifications.copy", "two")];
        let error = refused(&tar(&manifest(["events", "notifications"]), entries));
        let says = format!("has {} bytes, and manifest.json says 3", data.len());
        assert!(error.contains(&says), "{error}");
    }
}

#[test]
fn a_backup_that_does_not_fit_on_the_disk_is_refused() {
    for bytes in [u64::MAX, 1 << 60] {
        let mut huge = manifest(["events", "notifications"]);
        huge["services"][1]["bytes"] = bytes.into();
        let error = refused(&tar(&huge, copies()));
        let needed = bytes.saturating_add(3);
        assert!(error.contains(&format!("holds {needed} bytes of data")), "{error}");
        assert!(error.contains(" bytes free"), "{error}");
    }
}

#[test]
fn a_manifest_is_bounded_and_valid() {
    let mut long = manifest(["events", "notifications"]);
    long["more"] = "m".repeat(64 << 10).into();
    let error = refused(&tar(&long, copies()));
    assert!(error.contains("are more than 65536"), "{error}");

    for (key, value) in [
        ("stack", "../../x"),
        ("stack", "\u{1b}[2K"),
        ("stack", ""),
        ("created", "yesterday"),
        ("created", "\u{1b}]0;title\u{7}"),
        ("services", "\u{1b}[2J"),
    ] {
        let mut bad = manifest(["events", "notifications"]);
        bad[key] = value.into();
        let error = refused(&tar(&bad, copies()));
        assert!(error.contains("is not a complete backup: manifest.json: "), "{error}");
        assert!(!error.contains(char::is_control), "{error}");
        assert!(error.len() < 500, "{error}");
    }
    let mut newer = manifest(["events", "notifications"]);
    newer["version"] = 2.into();
    let error = refused(&tar(&newer, copies()));
    assert!(error.contains("its version is 2, and this program reads 1"), "{error}");

    // An archive without its manifest is refused, too.
    let error = refused(&tar(&json!({}), vec![])[1024..]);
    assert!(error.contains("it is truncated"), "{error}");
}

#[test]
fn no_endless_tail_is_decompressed() {
    let good = tar(&manifest(["events", "notifications"]), copies());
    let zeros = gzip(&[good.as_slice(), &vec![0; 16 << 20]].concat());
    assert!(zeros.len() < 128 << 10, "a bomb is small");
    let error = refused_at_the_end(&zeros);
    assert!(error.contains("it is longer than its header says"), "{error}");

    let error = refused_at_the_end(&gzip(&[good.as_slice(), b"more"].concat()));
    assert!(error.contains("it has data after its end"), "{error}");
    let error = refused_at_the_end(&[gzip(&good), gzip(&good)].concat());
    assert!(error.contains("other data follows it"), "{error}");
}

#[test]
fn a_copy_with_a_greeting_before_it_is_not_taken_for_one() {
    let (data, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let settings = Settings {
        collection: "events",
        limits: Limits::default(),
        facts: |_| store::Facts::default(),
    };
    drop(SqliteStore::open(data.path(), &settings).unwrap());
    let copy = copy_in(dir.path(), "events");
    let mut file = File::create(&copy).unwrap();
    store::back_up_folder(data.path(), "events", &mut file).unwrap();
    check_copy(dir.path(), "events").unwrap();
    let greeted = [b"Welcome to Ubuntu\n", fs::read(&copy).unwrap().as_slice()].concat();
    fs::write(&copy, greeted).unwrap();
    let error = check_copy(dir.path(), "events").unwrap_err();
    assert!(error.contains("this is not a backup of EventPost"), "{error}");
}

#[test]
fn a_backup_that_was_written_is_compared_with_what_was_copied() {
    let dir = tempfile::tempdir().unwrap();
    let file = backup(dir.path());
    let mut parts: Vec<_> = BOTH.iter().map(|it| part_of(dir.path(), it)).collect();
    verify(&file, File::open(&file).unwrap(), &parts).unwrap();
    parts[1].sha256 = "0".repeat(64);
    let error = verify(&file, File::open(&file).unwrap(), &parts).unwrap_err().to_string();
    assert!(error.contains("No backup was"), "{error}");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    let error = verify(&file, File::open(&file).unwrap(), &parts[..1]).unwrap_err();
    assert!(matches!(error, BackupError::Unverified { .. }), "{error}");
}
