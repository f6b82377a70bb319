//! Creates files and folders that only their owner can use, whatever the umask is. Existing ones
//! with a wider mode become private when they are used.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// The permissions of group and others, and the sticky bit of folders that everybody uses.
const OTHERS: u32 = 0o077;
const STICKY: u32 = 0o1000;

/// Creates a folder and its parents. An existing folder that belongs to this user becomes
/// private.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    create_dir_all_keeping_mode(path)?;
    make_private(&fs::metadata(path)?, |mode| fs::set_permissions(path, mode));
    Ok(())
}

/// Creates a folder and its parents. An existing folder keeps its mode: it may hold other files.
pub fn create_dir_all_keeping_mode(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Creates a file for writing, or truncates the existing one.
pub fn create(path: &Path) -> io::Result<File> {
    open(File::options().write(true).create(true).truncate(true), path)
}

/// Opens a file. If it is created, or belongs to this user, it becomes private.
pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.mode(0o600).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        make_private(&metadata, |mode| file.set_permissions(mode));
    }
    Ok(file)
}

/// Reads a file, and returns whether other users can access it, too.
pub fn read(path: &Path) -> io::Result<(Vec<u8>, bool)> {
    let mut file = File::open(path)?;
    let is_shared = is_shared(&file.metadata()?);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((bytes, is_shared))
}

/// Whether others can read or write a file: everybody, or a group that this user has let in. Which
/// group another user lets in, root for example, is theirs to decide.
fn is_shared(metadata: &Metadata) -> bool {
    let bits = if is_own(metadata) { 0o066 } else { 0o006 };
    metadata.is_file() && metadata.mode() & bits != 0
}

fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw()
}

fn make_private(metadata: &Metadata, set: impl FnOnce(Permissions) -> io::Result<()>) {
    let mode = metadata.mode();
    if is_own(metadata) && mode & OTHERS != 0 && mode & STICKY == 0 {
        // File systems without modes refuse; whoever chose one accepts that.
        let _ = set(Permissions::from_mode(mode & 0o7700));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn new_files_and_folders_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        create_dir_all(&folder).unwrap();
        assert_eq!((mode(&dir.path().join("a")), mode(&folder)), (0o700, 0o700));
        let file = folder.join("file");
        create(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
    }

    #[test]
    fn existing_files_and_folders_become_private_when_they_are_used() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, file) = (dir.path().join("a"), dir.path().join("a/file"));
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "longer").unwrap();
        set_mode(&folder, 0o755);
        set_mode(&file, 0o666);
        create_dir_all(&folder).unwrap();
        create(&file).unwrap();
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        assert_eq!(fs::read(&file).unwrap(), b"");
    }

    #[test]
    fn a_folder_that_everybody_uses_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        set_mode(dir.path(), 0o1777);
        create_dir_all(dir.path()).unwrap();
        assert_eq!(mode(dir.path()), 0o1777);
        set_mode(dir.path(), 0o755);
        create_dir_all_keeping_mode(dir.path()).unwrap();
        assert_eq!(mode(dir.path()), 0o755);
    }
}
