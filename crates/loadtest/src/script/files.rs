//! Reads the files that a script names.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where a script's files are.
#[derive(Debug)]
pub(super) enum Files {
    /// In a folder.
    Folder(PathBuf),
    /// They came with the script, by the names that it gives them.
    Bundled(BTreeMap<String, String>),
}

impl Files {
    /// Names are relative to the script's own folder.
    pub(super) fn beside(script: &Path) -> Self {
        Self::Folder(script.parent().unwrap_or(Path::new("")).into())
    }

    /// The text of a file.
    pub(super) fn read(&self, name: &str) -> io::Result<String> {
        match self {
            Self::Folder(folder) => fs::read_to_string(folder.join(name)),
            Self::Bundled(files) => files.get(name).cloned().ok_or(io::ErrorKind::NotFound.into()),
        }
    }
}
