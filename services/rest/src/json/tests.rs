//! The writer against `serde_json`, an encoder that shares no code with it, and
//! against what Python prints.

use proptest::prelude::*;

use super::{ListWriter, ObjectWriter};

fn object(members: &[(String, String)]) -> String {
    let mut out = Vec::new();
    let mut object = ObjectWriter::new(&mut out);
    for (key, value) in members {
        object.text(key, value);
    }
    object.finish();
    String::from_utf8(out).unwrap()
}

/// Escapes a string the way Python documents it, from `serde_json`'s encoding:
/// that escapes what JSON must; the rest is escaped here, unit by unit.
fn reference(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap();
    let escape = |unit: u16| format!("\\u{unit:04x}");
    let char_text = |c: char| match c {
        ' '..='~' => c.to_string(),
        _ => c.encode_utf16(&mut [0; 2]).iter().map(|unit| escape(*unit)).collect(),
    };
    json.chars().map(char_text).collect()
}

proptest! {
    #[test]
    fn strings_are_escaped_as_the_reference_does(text: String) {
        let expected = format!("{{\"k\": {}}}", reference(&text));
        prop_assert_eq!(object(&[("k".into(), text)]), expected);
    }

    #[test]
    fn every_object_reads_back(members in prop::collection::vec((".*", ".*"), 0..6)) {
        let text = object(&members);
        prop_assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)), "not ASCII: {text}");
        let read: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
        for (key, _) in &members {
            // Of equal keys JSON readers keep the last, whatever is written.
            let last = members.iter().rev().find(|(k, _)| k == key).unwrap();
            prop_assert_eq!(read[key].as_str(), Some(last.1.as_str()));
        }
    }
}

#[test]
fn spacing_and_escapes_are_python_s() {
    // python3 -c 'import json; print(json.dumps({"a": "ñ€日🎉\x7f\0\b\f\n\r\t\"\\/", "b": ""}))'
    let members = [
        ("a".to_owned(), "ñ€日🎉\u{7f}\0\u{8}\u{c}\n\r\t\"\\/".to_owned()),
        ("b".to_owned(), String::new()),
    ];
    let python = r#"{"a": "\u00f1\u20ac\u65e5\ud83c\udf89\u007f\u0000\b\f\n\r\t\"\\/", "b": ""}"#;
    assert_eq!(object(&members), python);
}

#[test]
fn numbers_and_lists_of_objects_are_spaced_alike() {
    let mut out = Vec::new();
    let mut object = ObjectWriter::new(&mut out);
    object.number("n", 7).objects("items", &["x", "y"], |item, out| {
        out.text("v", item);
    });
    object.finish();
    assert_eq!(out, br#"{"n": 7, "items": [{"v": "x"}, {"v": "y"}]}"#);
}

#[test]
fn documents_join_into_a_list() {
    let documents: [&[u8]; 2] = [b"{\"a\": 1}", b"{}"];
    let written = |documents: &[&[u8]]| {
        let (mut out, mut list) = (Vec::new(), ListWriter::default());
        for document in documents {
            list.item(&mut out, document);
        }
        list.finish(&mut out);
        out
    };
    assert_eq!(written(&documents), b"[{\"a\": 1}, {}]");
    assert_eq!(written(&[]), b"[]");
}
