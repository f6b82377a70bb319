//! This module owns the files that results are written to.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A file that will be there, whole, or not at all. That it can be written is known
/// before the load, whose result would be lost otherwise.
#[derive(Debug)]
pub(super) struct Destination {
    file: PathBuf,
    part: PathBuf,
    open: File,
}

impl Destination {
    /// Prepares a file, if one was asked for.
    pub(super) fn maybe(file: Option<&Path>) -> Result<Option<Self>, Error> {
        file.map(Self::new).transpose()
    }

    /// Prepares a file.
    pub(super) fn new(file: &Path) -> Result<Self, Error> {
        let mut part = file.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let open = File::create(&part).map_err(|error| cannot(file, &error))?;
        Ok(Self { file: file.into(), part, open })
    }

    /// Writes the file.
    pub(super) fn write(self, text: &[u8]) -> Result<(), Error> {
        self.fill(|open| open.write_all(text))
    }

    /// Has the file written.
    pub(super) fn fill(
        mut self,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), Error> {
        let written = write(&mut self.open).and_then(|()| fs::rename(&self.part, &self.file));
        written.map_err(|error| cannot(&self.file, &error))
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        // Once it has been renamed, it is not there.
        let _ = fs::remove_file(&self.part);
    }
}

fn cannot(file: &Path, error: &io::Error) -> Error {
    Error::Request(format!("{} cannot be written: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("result.csv");
        drop(Destination::maybe(Some(&file)).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        Destination::maybe(Some(&file)).unwrap().unwrap().write(b"text").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"text");
        let error = Destination::maybe(Some(&dir.path().join("no/result.csv"))).unwrap_err();
        assert!(error.to_string().contains("no/result.csv cannot be written"), "{error}");
    }
}
