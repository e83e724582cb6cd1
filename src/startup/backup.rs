//! Backups of an SQLite database.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process,
};

use super::error::StartError;
use crate::{
    config::Config,
    store::{self, DatabaseError, companion},
};

/// Why a backup cannot be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database is not an SQLite file.
    #[error(
        "this command is for SQLite, and the configured database is {0}; use {1} instead, as described \
             in docs/operations.md (Backups)"
    )]
    Network(String, &'static str),
    /// The file of the backup already exists.
    #[error("{}: the file already exists; choose another name, because a backup never overwrites a file", .0.display())]
    Exists(PathBuf),
    /// A server or another command has the database open.
    #[error("{}: a server or another program has the database open; stop it first", .0.display())]
    InUse(PathBuf),
    /// The backup is the database that it would replace.
    #[error("{}: this is the database itself; name the file of a backup", .0.display())]
    Same(PathBuf),
    /// The file is not an undamaged SQLite database.
    #[error("{}: the backup is damaged; nothing was changed; use another backup: {fault}", .path.display())]
    Damaged {
        /// The backup.
        path: PathBuf,
        /// What SQLite reports.
        fault: String,
    },
    /// The database in the file has no keys of the service.
    #[error("{}: this is not a backup of a Vestibule database, because it contains no keys; nothing was changed", .0.display())]
    NoKeys(PathBuf),
    /// The audit log in the backup does not match its MACs.
    #[error(
        "{}: the audit log of the backup was altered ({finding}); nothing was changed; use another backup",
        .path.display()
    )]
    Tampered {
        /// The backup.
        path: PathBuf,
        /// The first difference.
        finding: String,
    },
    /// The master key does not open the keys in the backup, or the configuration cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Writes a backup of the SQLite database to a new file that only its owner can read. Servers may use the database.
///
/// # Errors
/// Returns a [`BackupError`], and leaves no new file.
pub async fn back_up(config: &Config, target: &Path) -> Result<(), BackupError> {
    let database = database_file(config, "pg_dump or mariadb-dump")?;
    if !database.exists() {
        return Err(StartError::NoDatabase(database).into());
    }
    if target.exists() {
        return Err(BackupError::Exists(target.to_owned()));
    }

    let draft = Draft::create(target)?;
    let path = draft.path.to_str().ok_or_else(|| file_error(target, io::ErrorKind::InvalidFilename.into()))?;
    store::copy_database(config.database.url.secret(), path).await.map_err(|error| failed(config, error))?;
    draft.sync()?;
    // Fails if the file has been created in the meantime, unlike a rename.
    fs::hard_link(&draft.path, target).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(target.to_owned()),
        _ => file_error(target, error),
    })?;
    sync_folder(target)
}

/// Returns the file of the database. `tools` replace this command for other databases.
pub(super) fn database_file(config: &Config, tools: &'static str) -> Result<PathBuf, BackupError> {
    config.database.file().ok_or_else(|| BackupError::Network(config.database.describe(), tools))
}

/// A file next to its final place, accessible only to its owner. It is removed when it is dropped.
pub(super) struct Draft {
    pub(super) path: PathBuf,
}

impl Draft {
    /// Creates an empty draft of `target`.
    pub(super) fn create(target: &Path) -> Result<Self, BackupError> {
        let path = companion(target, &format!(".{}.draft", process::id()));
        let path = std::path::absolute(&path).map_err(|error| file_error(&path, error))?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| file_error(&path, error))?;
        Ok(Self { path })
    }

    /// Waits until the content is on the disk.
    pub(super) fn sync(&self) -> Result<(), BackupError> {
        let synced = File::open(&self.path).and_then(|file| file.sync_all());
        synced.map_err(|error| file_error(&self.path, error))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for path in [self.path.clone(), companion(&self.path, "-wal"), companion(&self.path, "-shm")] {
            // Most drafts have been moved, and have no other files.
            drop(fs::remove_file(path));
        }
    }
}

/// Waits until the folder of a file is on the disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), BackupError> {
    let absolute = std::path::absolute(path).map_err(|error| file_error(path, error))?;
    let Some(folder) = absolute.parent() else { return Ok(()) };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| file_error(folder, error))
}

pub(super) fn file_error(path: &Path, error: io::Error) -> BackupError {
    StartError::File { path: path.to_owned(), error }.into()
}

fn failed(config: &Config, error: DatabaseError) -> BackupError {
    StartError::Database { database: config.database.describe(), error }.into()
}
