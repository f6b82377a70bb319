//! Whether reads wait for the disk.

use std::cell::Cell;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A read that takes longer may have waited for the disk.
const SLOW: Duration = Duration::from_millis(2);
/// After so many stalls in a second, reads count as slow until a second has passed.
const STALLS: u64 = 20;

thread_local! {
    /// Bytes that this thread had read from disks when it last looked.
    static BYTES_READ: Cell<u64> = const { Cell::new(0) };
}

/// Counts reads that waited for the disk, so that none is made on a thread that must not wait
/// while they do.
#[derive(Debug)]
pub(super) struct Stalls {
    begun: Instant,
    /// The last second after `begun` in which reads stalled, and how many did: 8 bits.
    recent: AtomicU64,
}

impl Stalls {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), recent: AtomicU64::new(0) }
    }

    /// Whether reads have waited for the disk recently.
    pub(super) fn are_frequent(&self) -> bool {
        let recent = self.recent.load(Ordering::Relaxed);
        recent & 0xff >= STALLS && self.begun.elapsed().as_secs() <= (recent >> 8) + 1
    }

    /// Notes how long a read took on this thread.
    pub(super) fn note(&self, time: Duration) {
        // On a busy machine most slow reads have waited for a processor: any other work does, too.
        if time > SLOW && has_read_from_disk() {
            self.count();
        }
    }

    fn count(&self) {
        let (now, recent) = (self.begun.elapsed().as_secs(), self.recent.load(Ordering::Relaxed));
        let count = if recent >> 8 == now { (recent & 0xff).min(STALLS) } else { 0 };
        self.recent.store(now << 8 | (count + 1), Ordering::Relaxed);
    }
}

/// Whether this thread has read from a disk since it was last asked; true if nobody knows.
fn has_read_from_disk() -> bool {
    let Some(bytes) = bytes_read() else { return true };
    BYTES_READ.replace(bytes) != bytes
}

/// Bytes that this thread has had fetched from disks
/// ([proc_pid_io(5)](https://man7.org/linux/man-pages/man5/proc_pid_io.5.html)).
fn bytes_read() -> Option<u64> {
    let io = fs::read_to_string("/proc/thread-self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("read_bytes: "))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_stalls_in_a_second_make_reads_slow() {
        let stalls = Stalls::new();
        assert!(!stalls.are_frequent());
        for _ in 0..STALLS {
            stalls.count();
        }
        assert!(stalls.are_frequent());
    }

    #[test]
    fn a_slow_read_of_what_is_in_memory_is_no_stall() {
        let stalls = Stalls::new();
        has_read_from_disk();
        for _ in 0..STALLS {
            stalls.note(SLOW * 2);
        }
        assert_eq!(stalls.are_frequent(), bytes_read().is_none());
    }
}
