//! Compares embedded storage engines under the access pattern of the services:
//! one writer thread that commits batches durably, point reads beside it, and a
//! start-up that opens a full store. Prints one table; run by `scripts/bench-engines`.

mod damage;
mod engine;
mod engines;

use std::path::Path;
use std::time::{Duration, Instant};

use damage::Place;
use engine::{Engine, Key};

/// Bytes of one stored event, about the mean of the seed data.
const VALUE_BYTES: usize = 300;
/// Resources stored before point reads are timed.
const READ_SET: u64 = 200_000;
/// How long each timed phase lasts.
const PHASE: Duration = Duration::from_secs(2);

fn main() {
    let root = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "bench-engines.tmp".into());
    println!(
        "| engine | commits/s, 1 row | rows/s, 8 a commit | rows/s, 64 a commit | reads/s, 1 thread | open with {READ_SET} rows, ms | bytes a row on disk | 20 flips in values | 20 flips around them |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for open in engines::ALL {
        let dir = Path::new(&root).join(open.name);
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("the benchmark's folder must be writable");
        println!("{}", row(open, &dir));
    }
    let _ = std::fs::remove_dir_all(&root);
}

fn row(kind: &engines::Kind, dir: &Path) -> String {
    let mut next = 0_u64;
    let mut engine = (kind.open)(dir);
    let singles = write_phase(engine.as_mut(), 1, &mut next);
    let eights = write_phase(engine.as_mut(), 8, &mut next);
    let many = write_phase(engine.as_mut(), 64, &mut next);
    while next < READ_SET {
        commit(engine.as_mut(), 1_000, &mut next);
    }
    let reads = read_phase(engine.as_mut(), next);
    drop(engine);
    let start = Instant::now();
    let mut engine = (kind.open)(dir);
    assert_eq!(
        engine.get(&key(1)),
        Some(value(1)),
        "{} lost a row over a restart",
        kind.name
    );
    let open = start.elapsed();
    drop(engine);
    let disk = disk_bytes(dir) / next;
    format!(
        "| {} | {singles:.0} | {eights:.0} | {many:.0} | {reads:.0} | {:.1} | {disk} | {} | {} |",
        kind.name,
        open.as_secs_f64() * 1e3,
        damage::survey(kind, dir, Place::Value),
        damage::survey(kind, dir, Place::Framing),
    )
}

fn write_phase(engine: &mut dyn Engine, batch: u64, next: &mut u64) -> f64 {
    let (start, first) = (Instant::now(), *next);
    while start.elapsed() < PHASE {
        commit(engine, batch, next);
    }
    (*next - first) as f64 / start.elapsed().as_secs_f64()
}

fn read_phase(engine: &mut dyn Engine, stored: u64) -> f64 {
    let (start, mut done, mut seed) = (Instant::now(), 0_u64, 88_172_645_463_325_252_u64);
    while start.elapsed() < PHASE {
        for _ in 0..256 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            assert!(
                engine.get(&key(seed % stored)).is_some(),
                "a stored row was not found"
            );
            done += 1;
        }
    }
    done as f64 / start.elapsed().as_secs_f64()
}

fn commit(engine: &mut dyn Engine, rows: u64, next: &mut u64) {
    let batch: Vec<(Key, Vec<u8>)> = (*next..*next + rows).map(|n| (key(n), value(n))).collect();
    engine.commit(&batch);
    *next += rows;
}

fn value(n: u64) -> Vec<u8> {
    vec![b'a' + (n % 26) as u8; VALUE_BYTES]
}

/// Keys ascend, as ObjectIds do.
fn key(n: u64) -> Key {
    let mut key = [0x5e; 12];
    key[4..].copy_from_slice(&n.to_be_bytes());
    key
}

fn disk_bytes(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::read_dir(dir)
        .expect("the benchmark's folder must be readable")
        .map(|entry| {
            let path = entry.expect("a directory entry must be readable").path();
            match std::fs::metadata(&path) {
                Ok(meta) if meta.is_dir() => disk_bytes(&path),
                // Blocks, not length: some engines preallocate sparse files.
                Ok(meta) => meta.blocks() * 512,
                Err(_) => 0,
            }
        })
        .sum()
}
