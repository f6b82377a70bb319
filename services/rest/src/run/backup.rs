//! Backs up and restores the data of a service.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use store::BackupSummary;

use super::args::BackupCommand;
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
        BackupCommand::Backup { file, data } => {
            ("backed up", file, back_up(&data.data, R::COLLECTION, file)?)
        }
        BackupCommand::Restore { file, data, replace } => {
            let dir = DataDir::lock(&data.data)?;
            ("restored", file, restore::<R>(&dir, file, *replace)?)
        }
    };
    let BackupSummary { documents, deliveries, .. } = summary;
    tracing::info!(file = %file.display(), documents, deliveries, "{done} {}", R::COLLECTION);
    Ok(())
}

fn back_up(data: &Path, collection: &str, file: &Path) -> Result<BackupSummary, CopyError> {
    let unwritable = |source| CopyError::Unwritable { path: file.into(), source };
    let failed = |source| CopyError::Failed { path: data.into(), source };
    if file.as_os_str() == STANDARD {
        let mut out = BufWriter::new(io::stdout().lock());
        let summary = store::back_up_folder(data, collection, &mut out).map_err(failed)?;
        out.flush().map_err(unwritable)?;
        return Ok(summary);
    }
    let mut new = NewFile::create(file, 0o600).map_err(unwritable)?;
    let mut out = BufWriter::new(new.as_file_mut());
    let summary = store::back_up_folder(data, collection, &mut out).map_err(failed)?;
    out.flush().map_err(unwritable)?;
    drop(out);
    new.commit().map_err(unwritable)?;
    Ok(summary)
}

fn restore<R: Resource>(
    dir: &DataDir,
    file: &Path,
    replace: bool,
) -> Result<BackupSummary, CopyError> {
    let unreadable = |source| CopyError::Unreadable { path: file.into(), source };
    let mut reader: Box<dyn BufRead> = if file.as_os_str() == STANDARD {
        Box::new(BufReader::new(io::stdin().lock()))
    } else {
        Box::new(BufReader::new(File::open(file).map_err(unreadable)?))
    };
    store::restore(dir.path(), &settings::<R>(), &mut *reader, replace)
        .map_err(|source| CopyError::Failed { path: file.into(), source })
}
