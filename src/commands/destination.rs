//! Writes the files that results go to.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rest::file::NewFile;

use crate::error::Error;

/// A file that will be there complete, or not at all. That it can be written is known before
/// the work whose result would be lost otherwise.
#[derive(Debug)]
pub(super) struct Destination(NewFile);

impl Destination {
    /// Prepares a file, if one was asked for.
    pub(super) fn optional(file: Option<&Path>) -> Result<Option<Self>, Error> {
        file.map(Self::new).transpose()
    }

    /// Prepares a file that others may read, as far as the umask allows it.
    pub(super) fn new(file: &Path) -> Result<Self, Error> {
        Self::with_mode(file, 0o666)
    }

    /// Prepares a file that only its owner can read, from the beginning.
    pub(super) fn private(file: &Path) -> Result<Self, Error> {
        Self::with_mode(file, 0o600)
    }

    fn with_mode(file: &Path, mode: u32) -> Result<Self, Error> {
        NewFile::create(file, mode).map(Self).map_err(|error| cannot(file, &error))
    }

    /// Writes the file.
    pub(super) fn write(self, text: &[u8]) -> Result<(), Error> {
        self.fill(|open| open.write_all(text))
    }

    /// Writes the file through a callback.
    pub(super) fn fill(
        mut self,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), Error> {
        self.prepare(write)?;
        self.commit()
    }

    /// Writes the content through a callback, without replacing the file yet.
    pub(super) fn prepare(
        &mut self,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), Error> {
        write(self.0.as_file_mut()).map_err(|error| cannot(self.0.path(), &error))
    }

    /// Opens the content that was prepared, to be read from its beginning.
    pub(super) fn reopen(&self) -> Result<File, Error> {
        self.0.reopen().map_err(|error| cannot(self.0.path(), &error))
    }

    /// Replaces the file with the content that was prepared.
    pub(super) fn commit(self) -> Result<(), Error> {
        let path = self.0.path().to_owned();
        self.0.commit().map_err(|error| cannot(&path, &error))
    }

    /// Puts the content that was prepared at the path. Fails if there is a file already.
    pub(super) fn commit_new(self) -> Result<(), Error> {
        let path = self.0.path().to_owned();
        self.0.commit_new().map_err(|error| cannot(&path, &error))
    }
}

fn cannot(file: &Path, error: &io::Error) -> Error {
    Error::Failed(format!("{} cannot be written: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("result.csv");
        drop(Destination::optional(Some(&file)).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        Destination::optional(Some(&file)).unwrap().unwrap().write(b"text").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"text");
        let error = Destination::optional(Some(&dir.path().join("no/result.csv"))).unwrap_err();
        assert!(error.to_string().contains("no/result.csv cannot be written"), "{error}");
    }
}
