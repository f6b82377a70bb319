//! Writes files on a host.

use bytes::Bytes;
use ssh::{Command, quote};

const SCRIPT: &str = include_str!("../../templates/write-file.sh");

/// Who can read a file, besides root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Nobody.
    Root,
    /// The program in a service's container.
    Service,
}

/// The command that writes a file, completely or not at all. The content goes through standard
/// input, where nobody sees it.
pub(super) fn write(file: &str, reader: Reader, content: impl Into<Bytes>) -> Command {
    let content = content.into();
    command(file, reader, &content.len().to_string()).stdin(content)
}

/// Like [`write()`], for content whose length is not known in advance, such as the output of
/// another command. If the input is cut off, the file holds only a part of it.
pub(super) fn receive(file: &str) -> Command {
    command(file, Reader::Root, "")
}

fn command(file: &str, reader: Reader, bytes: &str) -> Command {
    // 65532 is the user that the program in the container runs as.
    let (mode, owner) = match reader {
        Reader::Root => ("0600", "0"),
        Reader::Service => ("0400", "65532"),
    };
    let arguments = [file, mode, owner, bytes].map(quote).join(" ");
    Command::new(format!("sudo sh -c {} sh {arguments}", quote(SCRIPT)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Stdio;

    use super::*;

    /// Runs the script as this user, who then owns the file.
    fn run(file: &Path, input: &[u8], bytes: &str) -> bool {
        let user = rustix::process::geteuid().as_raw().to_string();
        // Without root, the folder cannot be given to it.
        let script = SCRIPT.replace("chown \"root:$owner\" \"$folder\"", ":");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script, "sh"]).arg(file).args(["0600", &user, bytes]);
        let mut shell = shell.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(input).unwrap();
        shell.wait().unwrap().success()
    }

    #[test]
    fn a_file_is_there_complete_or_not_at_all_and_goes_through_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (file, other) = (dir.path().join("a/b/file"), dir.path().join("other"));
        fs::write(&other, "kept").unwrap();
        assert!(run(&file, b"text", "4"));
        assert_eq!(fs::read(&file).unwrap(), b"text");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!run(&file, b"par", "4"), "the input was cut off");
        assert_eq!(fs::read(&file).unwrap(), b"text");
        assert!(run(&file, b"of any length", ""));
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(&other, &file).unwrap();
        assert!(run(&file, b"new", "3"));
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::read(&other).unwrap(), b"kept");
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }
}
