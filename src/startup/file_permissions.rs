//! Permissions of files that only their owner may access (OWASP ASVS 13.3.2): the master key, the database and the
//! configuration.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::error::StartError;
use crate::{
    config::{Config, DEFAULT_FILE},
    store::companion,
};

/// Returns the permission bits of a file if its group or other users have access to it.
pub(super) fn loose_mode(path: &Path) -> io::Result<Option<u32>> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

/// Logs a warning if other users have access to the configuration file and it contains a secret.
pub fn warn_of_loose_config(file: Option<&Path>, config: &Config) {
    if config.has_secret_in_file()
        && let Ok(Some(mode)) = loose_mode(file.unwrap_or(Path::new(DEFAULT_FILE)))
    {
        tracing::warn!(
            "other users can read the configuration file (mode {mode:o}), which contains a secret; run chmod 600 on it"
        );
    }
}

/// Checks that a file which does not exist can be created in its folder, without creating it.
pub(super) fn check_creatable(path: &Path) -> Result<(), StartError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let may_create = Access::WRITE_OK | Access::EXEC_OK;
    let checked = fs::metadata(folder).and_then(|folder_data| {
        if folder_data.is_dir() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::NotADirectory)) }
    });
    let checked = checked.and_then(|()| accessat(CWD, folder, may_create, AtFlags::EACCESS).map_err(io::Error::from));
    checked.map_err(|error| StartError::File { path: path.to_owned(), error })
}

/// Checks that the file of an SQLite database can be written, or created if it does not exist.
pub(super) fn check_database_file(path: &Path) -> Result<(), StartError> {
    if path.exists() { open_for_writing(path) } else { check_creatable(path) }
}

fn open_for_writing(path: &Path) -> Result<(), StartError> {
    let opened = OpenOptions::new().write(true).open(path).map(drop);
    opened.map_err(|error| StartError::File { path: path.to_owned(), error })
}

/// Creates the file of an SQLite database, accessible only to its owner. SQLite gives its other files the same mode. An
/// existing file must be writable, because SQLite would open a read-only file and every write would fail.
///
/// # Errors
/// Returns [`StartError::LostDatabase`] if only a `-wal` file is left. SQLite would delete it.
pub(super) fn create_database_file(path: &Path) -> Result<(), StartError> {
    let changes = companion(path, "-wal");
    if !path.exists() && changes.exists() {
        return Err(StartError::LostDatabase(path.to_owned(), changes));
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if let Ok(Some(mode)) = loose_mode(path) {
                tracing::warn!(
                    file = %path.display(),
                    mode = format!("{mode:o}"),
                    "other users can read the database file; run chmod 600 on it"
                );
            }
            open_for_writing(path)
        }
        Err(error) => Err(StartError::File { path: path.to_owned(), error }),
    }
}
