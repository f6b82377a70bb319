//! Writes the files that results go to.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::Error;

/// A file that will be there, whole, or not at all. That it can be written is known
/// before the load, whose result would be lost otherwise.
#[derive(Debug)]
pub(super) struct Destination {
    file: PathBuf,
    /// In the same folder. It is removed with the value.
    part: NamedTempFile,
}

impl Destination {
    /// Prepares a file, if one was asked for.
    pub(super) fn maybe(file: Option<&Path>) -> Result<Option<Self>, Error> {
        file.map(Self::new).transpose()
    }

    /// Prepares a file that others may read, where the umask lets them.
    pub(super) fn new(file: &Path) -> Result<Self, Error> {
        Self::with_mode(file, 0o666)
    }

    /// Prepares a file that only its owner can read, from the beginning.
    pub(super) fn private(file: &Path) -> Result<Self, Error> {
        Self::with_mode(file, 0o600)
    }

    fn with_mode(file: &Path, mode: u32) -> Result<Self, Error> {
        // A name that nobody can have foreseen, and a file that was not there: in a folder
        // that others can write to, a link may wait.
        let part = tempfile::Builder::new()
            .prefix(".eventpost-")
            .suffix(".part")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder_of(file))
            .map_err(|error| cannot(file, &error))?;
        Ok(Self { file: file.into(), part })
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
        self.prepare(write)?;
        self.keep()
    }

    /// Has the content written, which is not the file's yet.
    pub(super) fn prepare(
        &mut self,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), Error> {
        let written = write(self.part.as_file_mut()).and_then(|()| self.part.as_file().sync_all());
        written.map_err(|error| cannot(&self.file, &error))
    }

    /// Opens the content that was prepared, to be read from its beginning.
    pub(super) fn reopen(&self) -> Result<File, Error> {
        self.part.reopen().map_err(|error| cannot(&self.file, &error))
    }

    /// Puts the content that was prepared in the place of the file.
    pub(super) fn keep(self) -> Result<(), Error> {
        let Self { file, part } = self;
        let kept = part.persist(&file).map_err(|error| error.error);
        let kept = kept.and_then(|_| File::open(folder_of(&file))?.sync_all());
        kept.map_err(|error| cannot(&file, &error))
    }
}

fn folder_of(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

fn cannot(file: &Path, error: &io::Error) -> Error {
    Error::Failed(format!("{} cannot be written: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

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

    #[test]
    fn a_private_file_is_private_before_it_is_whole_and_goes_through_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (file, other) = (dir.path().join("backup"), dir.path().join("other"));
        fs::write(&other, "kept").unwrap();
        symlink(&other, dir.path().join("backup.part")).unwrap();
        let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
        let mut destination = Destination::private(&file).unwrap();
        assert_eq!(mode(destination.part.path()), 0o600);
        destination.prepare(|open| open.write_all(b"text")).unwrap();
        assert!(!file.exists());
        destination.keep().unwrap();
        assert_eq!(mode(&file), 0o600);
        assert_eq!(fs::read(&file).unwrap(), b"text");
        assert_eq!(fs::read(&other).unwrap(), b"kept");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}
