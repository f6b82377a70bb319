//! Replaces files so that a crash leaves the old content or the new one, never a part of it.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Replaces the content of a file durably, or creates it with that content. `mode` are its
/// permissions, whatever the umask is; a file that exists already gets them too.
///
/// The content is written to a temporary file in the same folder, flushed to the disk, and
/// renamed. A symbolic link at `path` is replaced, not followed.
pub fn replace_file(path: &Path, mode: u32, content: impl AsRef<[u8]>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Nobody else can open it until its content is complete.
    let mut file = tempfile::Builder::new().prefix(".eventpost-").tempfile_in(folder)?;
    file.write_all(content.as_ref())?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The rename is durable once the folder is.
    File::open(folder)?.sync_all()
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
}
