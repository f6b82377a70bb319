//! Makes files and folders that only their owner can use, whatever the umask. Those that an
//! earlier version left open to others are closed when they are used again.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// What the group and others may do, and the sticky bit of folders that are meant for all.
const OTHERS: u32 = 0o077;
const STICKY: u32 = 0o1000;

/// Makes a folder where it is missing, with those above it. One that is there already, and
/// belongs to this user, is closed to others.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    make_dir_all(path)?;
    close(&fs::metadata(path)?, |mode| fs::set_permissions(path, mode));
    Ok(())
}

/// Makes a folder where it is missing, with those above it. One that is there already stays
/// as open as it is: other things may be in it.
pub fn make_dir_all(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a file to write to, or empties the one that is there.
pub fn create(path: &Path) -> io::Result<File> {
    open(File::options().write(true).create(true).truncate(true), path)
}

/// Opens a file; one that is made, or that belongs to this user, is closed to others.
pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.mode(0o600).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        close(&metadata, |mode| file.set_permissions(mode));
    }
    Ok(file)
}

fn close(metadata: &Metadata, set: impl FnOnce(Permissions) -> io::Result<()>) {
    let mode = metadata.mode();
    let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
    if is_own && mode & OTHERS != 0 && mode & STICKY == 0 {
        // A file system that has no modes refuses. It was chosen with that.
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
    fn what_is_made_is_its_owner_s_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        create_dir_all(&folder).unwrap();
        assert_eq!((mode(&dir.path().join("a")), mode(&folder)), (0o700, 0o700));
        let file = folder.join("file");
        create(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
    }

    #[test]
    fn what_is_open_to_others_is_closed_when_it_is_used() {
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
    fn a_folder_that_is_meant_for_all_stays_so() {
        let dir = tempfile::tempdir().unwrap();
        set_mode(dir.path(), 0o1777);
        create_dir_all(dir.path()).unwrap();
        assert_eq!(mode(dir.path()), 0o1777);
        set_mode(dir.path(), 0o755);
        make_dir_all(dir.path()).unwrap();
        assert_eq!(mode(dir.path()), 0o755);
    }
}
