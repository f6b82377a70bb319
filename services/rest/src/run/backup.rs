//! Backs up and restores the data of a service.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use store::{BackupError, BackupSummary, DatabaseUrl};
use tokio::runtime::Handle;

use super::args::{BackupCommand, DataArgs, DatabaseArgs};
use super::error::{CopyError, RunError};
use super::serve::settings;
use crate::data_dir::DataDir;
use crate::file::NewFile;
use crate::resource::Resource;

/// The file that stands for standard input or output.
const STANDARD: &str = "-";

/// Carries out a command, and logs what it did.
pub(super) fn run<R: Resource>(command: &BackupCommand) -> Result<(), RunError> {
    let (done, file, summary) = match command {
        BackupCommand::Backup { file, data, database } => {
            let runtime = super::client_runtime()?;
            let source = match database.url() {
                Some(url) => Source::Database { url, runtime: runtime.handle() },
                None => Source::Folder(&data.data),
            };
            ("backed up", file, back_up(&source, R::COLLECTION, file)?)
        }
        BackupCommand::Restore { file, data, database, replace } => {
            ("restored", file, restore::<R>(file, data, database, *replace)?)
        }
    };
    let BackupSummary { documents, deliveries, .. } = summary;
    tracing::info!(file = %file.display(), documents, deliveries, "{done} {}", R::COLLECTION);
    Ok(())
}

/// Where the data are.
enum Source<'a> {
    Folder(&'a Path),
    Database { url: DatabaseUrl, runtime: &'a Handle },
}

impl Source<'_> {
    fn write(&self, collection: &str, out: &mut dyn Write) -> Result<BackupSummary, BackupError> {
        match self {
            Self::Folder(folder) => store::back_up_folder(folder, collection, out),
            Self::Database { url, runtime } => {
                store::back_up_database(url.clone(), collection, runtime, out)
            }
        }
    }

    /// What it is called in errors.
    fn name(&self) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.into(),
            Self::Database { .. } => "the database".into(),
        }
    }
}

fn back_up(source: &Source<'_>, collection: &str, file: &Path) -> Result<BackupSummary, CopyError> {
    let unwritable = |error| CopyError::Unwritable { path: file.into(), source: error };
    let failed = |error| CopyError::Failed { path: source.name(), source: error };
    if file.as_os_str() == STANDARD {
        let mut out = BufWriter::new(io::stdout().lock());
        let summary = source.write(collection, &mut out).map_err(failed)?;
        out.flush().map_err(unwritable)?;
        return Ok(summary);
    }
    let mut new = NewFile::create(file, 0o600).map_err(unwritable)?;
    let mut out = BufWriter::new(new.as_file_mut());
    let summary = source.write(collection, &mut out).map_err(failed)?;
    out.flush().map_err(unwritable)?;
    drop(out);
    new.commit().map_err(unwritable)?;
    Ok(summary)
}

fn restore<R: Resource>(
    file: &Path,
    data: &DataArgs,
    database: &DatabaseArgs,
    replace: bool,
) -> Result<BackupSummary, RunError> {
    let unreadable = |source| CopyError::Unreadable { path: file.into(), source };
    let failed = |source| CopyError::Failed { path: file.into(), source };
    let mut reader: Box<dyn BufRead> = if file.as_os_str() == STANDARD {
        Box::new(BufReader::new(io::stdin().lock()))
    } else {
        Box::new(BufReader::new(File::open(file).map_err(unreadable)?))
    };
    let settings = settings::<R>();
    let Some(url) = database.url() else {
        let dir = DataDir::lock(&data.data)?;
        let restored = store::restore(dir.path(), &settings, &mut *reader, replace);
        return Ok(restored.map_err(failed)?);
    };
    // Services that use the database go on: they see the backup once it is there as a whole.
    let restored = store::restore_database(&url, &settings, &mut *reader, replace);
    Ok(super::client_runtime()?.block_on(restored).map_err(failed)?)
}
