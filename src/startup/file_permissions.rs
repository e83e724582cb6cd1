//! Files that only their owner may read (OWASP ASVS 13.3.2): the database and the configuration.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use super::error::StartError;
use crate::config::{Config, DEFAULT_FILE};

/// The permission bits of a file that others than its owner can read.
pub(super) fn loose_mode(path: &Path) -> io::Result<Option<u32>> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

/// Warns when others can read the configuration's file, if `file` names one or [`DEFAULT_FILE`] exists, and may find a
/// secret there.
pub fn warn_of_loose_config(file: Option<&Path>, config: &Config) {
    if config.has_secret()
        && let Ok(Some(mode)) = loose_mode(file.unwrap_or(Path::new(DEFAULT_FILE)))
    {
        tracing::warn!(
            "other users can read the configuration file (mode {mode:o}), which may hold a secret; `chmod 600` it"
        );
    }
}

/// Makes the database's file readable by its owner alone before anything is in it; SQLite gives its other files the
/// same mode. One that cannot be written is refused: SQLite would open it all the same, and every change would fail.
pub(super) fn create_database_file(path: &Path) -> Result<(), StartError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if let Ok(Some(mode)) = loose_mode(path) {
                tracing::warn!(file = %path.display(), mode = format!("{mode:o}"), "other users can read the database");
            }
            let opened = OpenOptions::new().write(true).open(path).map(drop);
            opened.map_err(|error| StartError::File { path: path.to_owned(), error })
        }
        Err(error) => Err(StartError::File { path: path.to_owned(), error }),
    }
}
