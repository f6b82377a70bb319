//! What each engine does when a bit of its file has flipped: the store is filled
//! and closed, one bit in the middle of stored data is flipped, in a value or in
//! the engine's own bytes around it, and everything is read again.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use crate::engines::Kind;
use crate::{commit, key, value};

/// Where the bit is flipped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Value,
    Framing,
}

const ROWS: u64 = 2_000;
const FLIPS: u64 = 20;

/// Counts the outcomes of the flips, as `8 reported, 12 served wrong`.
pub fn survey(kind: &Kind, scratch: &Path, place: Place) -> String {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let mut outcomes = BTreeMap::new();
    for n in 0..FLIPS {
        let dir = scratch.join(format!("damage-{n}"));
        *outcomes.entry(one_flip(kind, &dir, place, n)).or_insert(0) += 1;
        let _ = fs::remove_dir_all(&dir);
    }
    panic::set_hook(hook);
    let text: Vec<String> = outcomes
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    text.join(", ")
}

fn one_flip(kind: &Kind, dir: &Path, place: Place, n: u64) -> &'static str {
    fs::create_dir_all(dir).expect("the benchmark's folder must be writable");
    let mut engine = (kind.open)(dir);
    let mut next = 0;
    while next < ROWS {
        commit(engine.as_mut(), 100, &mut next);
    }
    drop(engine);
    flip(dir, place, n);
    let read_again = || {
        let mut engine = (kind.open)(dir);
        let mut outcome = "unnoticed";
        for n in 0..ROWS {
            match engine.get(&key(n)) {
                None => return "lost rows",
                Some(read) if read != value(n) => outcome = "served wrong",
                Some(_) => {}
            }
        }
        outcome
    };
    panic::catch_unwind(AssertUnwindSafe(read_again)).unwrap_or("reported")
}

/// Flips a bit at a place that varies with `n`.
fn flip(dir: &Path, place: Place, n: u64) {
    let path = largest_file(dir);
    let mut bytes = fs::read(&path).expect("a data file must be readable");
    let used = bytes
        .iter()
        .rposition(|b| *b != 0)
        .expect("a data file must hold something")
        - 9;
    let in_value =
        |at: usize| bytes[at] >= b'a' && bytes[at..at + 9].iter().all(|b| *b == bytes[at]);
    let from = used * (5 + n as usize * 2) / 60;
    let at = (from..used)
        .find(|&at| match place {
            Place::Value => in_value(at),
            // Just before a value begins lie its length, key, tag or checksum.
            Place::Framing => !in_value(at) && in_value(at + 1 + n as usize % 20) && bytes[at] != 0,
        })
        .expect("the largest file must hold such a place");
    bytes[at + if place == Place::Value { 4 } else { 0 }] ^= 0x10;
    fs::write(&path, bytes).expect("a data file must be writable");
}

fn largest_file(dir: &Path) -> PathBuf {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("the benchmark's folder must be readable") {
            let path = entry.expect("a directory entry must be readable").path();
            if path.is_dir() {
                walk(&path, found)
            } else {
                found.push(path)
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, &mut found);
    let used = |path: &PathBuf| {
        fs::read(path).map_or(0, |bytes| bytes.iter().filter(|b| **b >= b'a').count())
    };
    found
        .into_iter()
        .max_by_key(used)
        .expect("an engine must have written a file")
}
