//! Provides the load-test program that is uploaded to hosts.

use std::fs;

use support::event::{EventSink, Reporter};

use super::target::StackHosts;
use crate::binary::{self, LOAD_TEST};
use crate::error::Error;

/// The ELF type of a program header that names a loader (elf(5), `PT_INTERP`).
const INTERPRETER: u32 = 3;

/// The program's bytes, if there are hosts to run it. It must be linked statically: a host may
/// have any libraries.
pub(super) async fn provide(
    hosts: Option<&StackHosts>,
    sink: &dyn EventSink,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(StackHosts { config, .. }) = hosts else { return Ok(None) };
    let reporter = Reporter::new(sink, LOAD_TEST);
    reporter.step("building");
    let program = binary::provide_load_test(config, reporter).await;
    let path = program.inspect_err(|_| reporter.failed("there is no load-test program"))?;
    let bytes = fs::read(&path).map_err(Error::Runtime)?;
    if is_static(&bytes) {
        reporter.done("built");
        return Ok(Some(bytes));
    }
    reporter.failed("not linked statically");
    Err(Error::Failed(format!(
        "--from host: {} needs libraries that hosts may lack; build it with `cargo rustc --release \
         -p loadtest --bin {LOAD_TEST} -- -C target-feature=+crt-static`",
        path.display()
    )))
}

/// Whether an ELF file needs no loader.
fn is_static(bytes: &[u8]) -> bool {
    let u16_at = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let is_elf_64 = bytes.starts_with(b"\x7fELF\x02\x01");
    let kinds = || {
        let first = usize::try_from(u64_at(32)?).ok()?;
        let (size, count) = (u16_at(54)?, u16_at(56)?);
        let at = |n: u16| first + usize::from(n) * usize::from(size);
        (0..count).map(|n| u32_at(at(n))).collect::<Option<Vec<_>>>()
    };
    is_elf_64 && kinds().is_some_and(|kinds| !kinds.contains(&INTERPRETER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_programs_are_recognized() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        // Test programs are dynamic.
        assert!(!is_static(&own));
        assert!(!is_static(b"#!/bin/sh\n") && !is_static(b""));
        let mut header = vec![0; 64 + 56];
        header[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (header[32], header[54], header[56]) = (64, 56, 1);
        header[64] = 1;
        assert!(is_static(&header), "one segment to load");
        header[64] = 3;
        assert!(!is_static(&header));
    }
}
