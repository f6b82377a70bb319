//! Writes files so that a crash leaves the old content or the new one, never a part of it.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that appears at its path when it is complete. Until then it is a temporary file in
/// the same folder, which is removed when the value is dropped.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    temporary: NamedTempFile,
}

impl NewFile {
    /// Creates the temporary file, so that it is known early whether the folder can be
    /// written. `mode` are its permissions, less those that the umask takes away.
    pub fn create(path: &Path, mode: u32) -> io::Result<Self> {
        // The name cannot be guessed and the file is new: in a folder that others can write
        // to, no link of theirs is followed.
        let temporary = tempfile::Builder::new()
            .prefix(".eventpost-")
            .suffix(".part")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder_of(path))?;
        Ok(Self { path: path.into(), temporary })
    }

    /// Where it will appear.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The temporary file, for writing.
    pub fn as_file_mut(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// Opens the temporary file again, for reading from its beginning.
    pub fn reopen(&self) -> io::Result<File> {
        self.temporary.reopen()
    }

    /// Flushes the content to the disk and puts it at the path. A file that is there is
    /// replaced; a symbolic link is replaced, too, and not followed.
    pub fn commit(self) -> io::Result<()> {
        self.temporary.as_file().sync_all()?;
        self.temporary.persist(&self.path)?;
        sync_folder(&self.path)
    }

    /// As [`NewFile::commit`], but fails where there is a file at the path already.
    pub fn commit_new(self) -> io::Result<()> {
        self.temporary.as_file().sync_all()?;
        self.temporary.persist_noclobber(&self.path)?;
        sync_folder(&self.path)
    }
}

/// Replaces the content of a file durably, or creates it with that content. `mode` are its
/// permissions, whatever the umask is; a file that exists already gets them too.
pub fn replace_file(path: &Path, mode: u32, content: impl AsRef<[u8]>) -> io::Result<()> {
    // Nobody else can open it until its content is complete.
    let mut new = NewFile::create(path, 0o600)?;
    let file = new.as_file_mut();
    file.write_all(content.as_ref())?;
    file.set_permissions(Permissions::from_mode(mode))?;
    new.commit()
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// A rename is durable once the folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_created_or_replaced_with_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for (mode, content) in [(0o600, "a longer text"), (0o644, "short"), (0o400, "")] {
            replace_file(&path, mode, content).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        }
        assert_eq!(names(dir.path()), ["file"]);
    }

    #[test]
    fn a_failure_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder");
        fs::create_dir_all(path.join("child")).unwrap();
        assert!(replace_file(&path, 0o600, "x").is_err());
        assert!(replace_file(&dir.path().join("missing/file"), 0o600, "x").is_err());
        assert_eq!(names(dir.path()), ["folder"]);
    }

    #[test]
    fn a_new_file_appears_when_it_is_complete_and_through_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("file"), dir.path().join("other"));
        fs::write(&other, "kept").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        drop(NewFile::create(&path, 0o600).unwrap());
        let mut new = NewFile::create(&path, 0o600).unwrap();
        let mode = new.reopen().unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        new.as_file_mut().write_all(b"content").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"kept");
        new.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"content");
        assert_eq!(fs::read(&other).unwrap(), b"kept");
        assert_eq!(names(dir.path()).len(), 2);
    }

    #[test]
    fn a_file_that_is_there_is_not_replaced_by_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        NewFile::create(&path, 0o644).unwrap().commit_new().unwrap();
        let error = NewFile::create(&path, 0o644).unwrap().commit_new().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(names(dir.path()), ["file"]);
    }
}
