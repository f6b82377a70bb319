//! What is no whole backup is recognised.

use super::*;
use crate::{Delivery, DeliveryState, Document, ObjectId, Tag};

fn id(n: u8) -> ObjectId {
    ObjectId::from_bytes([n; 12])
}

fn document(n: u8) -> Document {
    Document::new(id(n), format!("{{\"id\": \"{}\", \"title\": \"ñ {n}\"}}", id(n)))
}

fn backup() -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, "events").unwrap();
    for n in 1..=3 {
        writer.document(&document(n)).unwrap();
    }
    let state = DeliveryState::Failed { time: 7, attempts: 2, reason: "550 \"no\"".into() };
    writer.delivery(id(1), &Delivery { state, tag: Tag(u64::MAX) }).unwrap();
    let state = DeliveryState::Sending { failures: None };
    writer.delivery(id(2), &Delivery { state, tag: Tag(2) }).unwrap();
    writer.mail_since(1234).unwrap();
    writer.finish().unwrap();
    out
}

#[test]
fn what_is_written_is_read() {
    let backup = backup();
    let mut input = backup.as_slice();
    let mut reader = Reader::new(&mut input, Some("events")).unwrap();
    for n in 1..=3 {
        assert_eq!(reader.read().unwrap(), Item::Document(document(n)));
    }
    let state = DeliveryState::Failed { time: 7, attempts: 2, reason: "550 \"no\"".into() };
    let delivery = Delivery { state, tag: Tag(u64::MAX) };
    assert_eq!(reader.read().unwrap(), Item::Delivery(id(1), delivery));
    let state = DeliveryState::Scheduled { due: 0, failures: None };
    assert_eq!(reader.read().unwrap(), Item::Delivery(id(2), Delivery { state, tag: Tag(2) }));
    assert_eq!(reader.read().unwrap(), Item::MailSince(1234));
    let Item::End(summary) = reader.read().unwrap() else { panic!("no end") };
    assert_eq!((summary.documents, summary.deliveries), (3, 2));
    assert_eq!(verify(&mut backup.as_slice(), Some("events")).unwrap(), summary);
    assert_eq!(collection_of(&mut backup.as_slice()).unwrap(), "events");
    assert!(std::str::from_utf8(&backup).unwrap().lines().count() == 8);
}

#[test]
fn a_backup_that_is_cut_off_anywhere_is_none() {
    let backup = backup();
    for length in 0..backup.len() {
        let result = verify(&mut &backup[..length], None);
        let expected = matches!(result, Err(BackupError::CutOff { .. } | BackupError::NotABackup));
        assert!(expected, "{length}: {result:?}");
    }
}

#[test]
fn a_backup_with_any_bit_flipped_is_none() {
    let backup = backup();
    for at in 0..backup.len() {
        for bit in 0..8 {
            let mut flipped = backup.clone();
            flipped[at] ^= 1 << bit;
            assert!(verify(&mut flipped.as_slice(), Some("events")).is_err(), "{at} {bit}");
        }
    }
}

#[test]
fn a_foreign_a_newer_and_a_longer_backup_are_named() {
    let other = verify(&mut backup().as_slice(), Some("notifications"));
    assert!(matches!(other, Err(BackupError::OtherCollection { .. })), "{other:?}");
    let newer = String::from_utf8(backup()).unwrap().replacen("backup\":2", "backup\":3", 1);
    let newer = verify(&mut newer.as_bytes(), None);
    assert!(matches!(newer, Err(BackupError::Newer { found: 3 })), "{newer:?}");
    for text in ["", "{}\n", "PK\u{3}\u{4}", "{\"id\": \"x\"}\n"] {
        let foreign = verify(&mut text.as_bytes(), None);
        assert!(matches!(foreign, Err(BackupError::NotABackup)), "{foreign:?}");
    }
    let longer = [backup(), b"more".to_vec()].concat();
    assert!(matches!(verify(&mut longer.as_slice(), None), Err(BackupError::Damaged { .. })));
}

/// A backup with one document, whatever that is.
fn backup_of(document: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, "events").unwrap();
    writer.document(&Document::new(id(1), document.to_vec())).unwrap();
    writer.finish().unwrap();
    out
}

#[test]
fn what_is_no_document_is_refused_with_its_line() {
    let begin = format!("{{\"id\": \"{}\"", id(1));
    for rest in
        ["", "x", ", \"title\"}", ", \"title\": [}", "} {}", "}}", ", \"title\": \"\u{1}\"}"]
    {
        let backup = backup_of(format!("{begin}{rest}").as_bytes());
        let refused = verify(&mut backup.as_slice(), None);
        assert!(
            matches!(refused, Err(BackupError::Damaged { line: 2, .. })),
            "{rest}: {refused:?}"
        );
    }
    let not_utf8 = [begin.as_bytes(), b", \"title\": \"\xff\"}"].concat();
    let refused = verify(&mut backup_of(&not_utf8).as_slice(), None);
    assert!(matches!(refused, Err(BackupError::Damaged { line: 2, .. })), "{refused:?}");
    assert_eq!(
        verify(&mut backup_of(format!("{begin}}}").as_bytes()).as_slice(), None).unwrap().documents,
        1
    );
}

#[test]
fn a_line_that_is_too_long_is_refused_and_not_read_to_its_end() {
    let max = usize::try_from(read::MAX_LINE).unwrap();
    let of_length = |length: usize| {
        let begin = format!("{{\"id\": \"{}\", \"title\": \"", id(1));
        let title = "t".repeat(length - begin.len() - 2);
        backup_of(format!("{begin}{title}\"}}").as_bytes())
    };
    // With its end it is one byte longer.
    assert!(verify(&mut of_length(max - 1).as_slice(), None).is_ok());
    let refused = verify(&mut of_length(max).as_slice(), None);
    assert!(matches!(refused, Err(BackupError::Damaged { line: 2, .. })), "{refused:?}");
    let backup = of_length(3 * max);
    let mut input = backup.as_slice();
    assert!(verify(&mut input, None).is_err());
    assert!(input.len() > max, "{}", input.len());
}
