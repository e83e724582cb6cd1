//! The restoration of a backup of an SQLite database.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt as _, fchown},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{FlockOperation, fcntl_lock};

use super::{
    backup::{BackupError, Draft, database_file, file_error, sync_folder},
    error::StartError,
    keys::open_stored_keys,
    master_key::existing_master_key,
};
use crate::{
    clock::Clock,
    config::Config,
    domain::audit::{self, AuditLog},
    secret::MasterKey,
    store::{self, COMPANIONS, DatabaseError, MigrateError, Pool, companion, sqlite_url},
};

/// Replaces the SQLite database with a verified copy of a backup. Returns where the replaced database is now, if there
/// was one.
///
/// # Errors
/// Returns a [`BackupError`]. If the backup cannot be used, nothing has changed. If a file cannot be replaced, the old
/// database is complete under its own name or the one that is kept.
pub async fn restore(config: &Config, backup: &Path) -> Result<Option<PathBuf>, BackupError> {
    let database = database_file(config, "pg_restore or mariadb")?;
    // A symbolic link stays, and its target is replaced.
    let database = fs::canonicalize(&database).unwrap_or(database);
    let master = existing_master_key(config)?;
    // Held until the end. Servers that start meanwhile wait for the lock.
    let present = lock(&database)?;
    if is_same_file(backup, &database, present.as_ref())? {
        return Err(BackupError::Same(backup.to_owned()));
    }

    let draft = copy(backup, &database)?;
    verify(&draft, &master, backup).await?;
    draft.sync()?;
    if let Some(present) = &present {
        keep_owner(&draft, present).map_err(|error| file_error(&draft.path, error))?;
    }
    replace(&draft, &database)
}

/// Locks the database against all other programs. Every connection of SQLite in WAL mode holds a shared lock, so this
/// fails while one exists. It also works if the database is damaged.
///
/// Closing any descriptor of the file would release the lock. SQLite is therefore not used on it.
fn lock(database: &Path) -> Result<Option<File>, BackupError> {
    let file = match File::options().read(true).write(true).open(database) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(database, error)),
    };
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => Err(BackupError::InUse(database.to_owned())),
        Err(error) => Err(file_error(database, error.into())),
    }
}

fn is_same_file(backup: &Path, database: &Path, present: Option<&File>) -> Result<bool, BackupError> {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let of_backup = fs::metadata(backup).map(id).map_err(|error| file_error(backup, error))?;
    let of_present = present.map(File::metadata).transpose().map_err(|error| file_error(database, error))?;
    Ok(of_present.map(id) == Some(of_backup))
}

/// Copies the backup next to the database. A database that was replaced earlier may have a `-wal` file, which belongs to
/// it.
fn copy(backup: &Path, database: &Path) -> Result<Draft, BackupError> {
    let draft = Draft::create(database)?;
    let copy = |ending: &str| {
        let mut from = File::open(companion(backup, ending))?;
        let path = companion(&draft.path, ending);
        let mut to = File::options().write(true).create(true).truncate(true).open(path)?;
        io::copy(&mut from, &mut to)
    };
    copy("").map_err(|error| file_error(backup, error))?;
    match copy("-wal") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(&companion(backup, "-wal"), error)),
        _ => Ok(draft),
    }
}

/// Checks that the copy is undamaged, that the master key opens its keys, and that its audit log was not altered.
/// Migrates it to the current schema.
async fn verify(draft: &Draft, master: &MasterKey, backup: &Path) -> Result<(), BackupError> {
    let damaged = |fault: String| BackupError::Damaged { path: backup.to_owned(), fault };
    let url = sqlite_url(&draft.path).map_err(|error| file_error(backup, error))?;
    if let Some(fault) = store::find_damage(&url).await.map_err(|error| damaged(error.to_string()))? {
        return Err(damaged(fault));
    }

    let name = || format!("sqlite, {}", backup.display());
    let failed = |error: DatabaseError| StartError::Database { database: name(), error };
    store::migrate(&url).await.map_err(|error| match error {
        MigrateError::Database(error) => failed(error),
        error @ MigrateError::Newer(_) => StartError::NewerSchema { database: name(), error },
    })?;
    let db = Pool::open(&url, Some(&draft.path), 1, &Arc::default()).await.map_err(failed)?;
    let keyring = open_stored_keys(&db, master).await?.ok_or_else(|| BackupError::NoKeys(backup.to_owned()))?;
    let log = AuditLog::new(keyring.audit.active().clone());
    let verified = audit::verify(&db, &log).await.map_err(StartError::from)?;
    if let Some(finding) = verified.findings.first() {
        return Err(BackupError::Tampered { path: backup.to_owned(), finding: finding.to_string() });
    }
    db.close().await.map_err(failed)?;
    // Moves what the migration wrote to the file that is renamed.
    Ok(store::checkpoint(&url).await.map_err(failed)?)
}

/// Gives the draft the owner of the present file, because root may run the command.
fn keep_owner(draft: &Draft, present: &File) -> io::Result<()> {
    let (wanted, file) = (present.metadata()?, File::open(&draft.path)?);
    let actual = file.metadata()?;
    if (actual.uid(), actual.gid()) == (wanted.uid(), wanted.gid()) {
        return Ok(());
    }
    fchown(&file, Some(wanted.uid()), Some(wanted.gid()))
}

/// Returns an unused name for the replaced database, with the time in it.
fn kept_name(database: &Path) -> PathBuf {
    let time = Clock::system().now().to_string().replace(['-', ':'], "");
    let first = companion(database, &format!(".replaced-{time}"));
    let others = (2..100).map(|number| companion(&first, &format!("-{number}")));
    std::iter::once(first.clone()).chain(others).find(|path| !path.exists()).unwrap_or(first)
}

/// Puts the draft in the place of the database, and keeps the database under another name. Returns the name of what was
/// kept.
///
/// The `-wal` file is removed first, even if its database is missing: SQLite would apply it to the restored database and
/// so undo the restoration. If the process is killed in between, the old database is complete under its new name.
fn replace(draft: &Draft, database: &Path) -> Result<Option<PathBuf>, BackupError> {
    let failed = |error| file_error(database, error);
    let kept = kept_name(database);

    let mut kept_files = Vec::new();
    for ending in ["", "-wal"] {
        let path = companion(&kept, ending);
        match fs::hard_link(companion(database, ending), &path) {
            Ok(()) => kept_files.push(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    sync_folder(database)?;
    for ending in COMPANIONS {
        match fs::remove_file(companion(database, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    fs::rename(&draft.path, database).map_err(failed)?;
    sync_folder(database)?;
    Ok(kept_files.into_iter().next())
}
