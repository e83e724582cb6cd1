//! The master key: where it is configured, and the file that contains it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process,
    sync::Arc,
};

use secrecy::ExposeSecret as _;

use super::{database::open_database, error::StartError, file_permissions::check_creatable};
use crate::{
    config::{Config, label},
    domain::crypto::{has_sealed_keys, random_bytes},
    error::ServiceError,
    secret::MasterKey,
    secret_file::read_secret_text,
};

/// The default file of the master key if the database is SQLite.
const DEFAULT_KEY_FILE: &str = "vestibule.key";

/// The place of the master key.
enum KeySource {
    /// In the configuration itself.
    Text(MasterKey),
    /// In this file, which need not exist.
    File(PathBuf),
}

fn key_source(config: &Config) -> Result<KeySource, StartError> {
    if let Some(text) = &config.keys.master_key {
        let key = MasterKey::parse(text.expose_secret());
        let failed = |error| StartError::MasterKey { place: label("keys.master_key"), error };
        return key.map(KeySource::Text).map_err(failed);
    }
    match (&config.keys.master_key_file, config.database.file()) {
        (Some(file), _) => Ok(KeySource::File(file.clone())),
        (None, Some(_)) => Ok(KeySource::File(PathBuf::from(DEFAULT_KEY_FILE))),
        (None, None) => Err(StartError::NoMasterKey),
    }
}

/// Returns the configured master key. With SQLite, creates a missing key file, unless the database already contains
/// keys: these were sealed by a master key that is now lost.
pub(super) async fn master_key(config: &Config) -> Result<MasterKey, StartError> {
    let file = match key_source(config)? {
        KeySource::Text(key) => return Ok(key),
        KeySource::File(file) => file,
    };
    if file.exists() {
        return read_key(&file);
    }
    let Some(database_file) = config.database.file() else { return Err(StartError::NoKeyFile(file)) };
    if database_file.exists() {
        let db = open_database(config, &Arc::default()).await?;
        let sealed = has_sealed_keys(&db).await?;
        db.close().await.map_err(|error| StartError::Database { database: config.database.label(), error })?;
        if sealed {
            // Another process that starts for the first time may have created both in the meantime.
            return if file.exists() { read_key(&file) } else { Err(StartError::LostMasterKey(file)) };
        }
    }
    create_key(&file)?;
    read_key(&file)
}

/// Returns the configured master key, and creates none.
pub(super) fn existing_master_key(config: &Config) -> Result<MasterKey, StartError> {
    match key_source(config)? {
        KeySource::Text(key) => Ok(key),
        KeySource::File(file) if file.exists() => read_key(&file),
        KeySource::File(file) => Err(StartError::NoKeyFile(file)),
    }
}

/// Returns where the master key is, for messages.
pub fn describe_master_key(config: &Config) -> Result<String, StartError> {
    Ok(match key_source(config)? {
        KeySource::Text(_) => "keys.master_key".to_owned(),
        KeySource::File(file) => file.display().to_string(),
    })
}

/// Validates the master key without opening the database, and creates nothing. Only a start detects that a missing key
/// file of an SQLite database was lost.
pub(super) fn check_master_key(config: &Config) -> Result<(), StartError> {
    match key_source(config)? {
        KeySource::Text(_) => Ok(()),
        KeySource::File(file) if file.exists() => read_key(&file).map(drop),
        KeySource::File(file) if config.database.file().is_some() => check_creatable(&file),
        KeySource::File(file) => Err(StartError::NoKeyFile(file)),
    }
}

/// Generates a master key.
///
/// # Errors
/// Returns [`ServiceError::Internal`] if the random generator fails.
pub fn new_master_key() -> Result<MasterKey, ServiceError> {
    Ok(MasterKey::from_random(random_bytes()?))
}

fn read_key(path: &Path) -> Result<MasterKey, StartError> {
    let text = read_secret_text(path)?;
    MasterKey::parse(&text).map_err(|error| StartError::MasterKey { place: path.display().to_string(), error })
}

/// Creates the file of the master key atomically. If two processes start at once, both use the key that was written
/// first.
fn create_key(path: &Path) -> Result<(), StartError> {
    let key = new_master_key()?;
    let draft = path.with_extension(format!("key.{}", process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        writeln!(file, "{}", *key.to_text())?;
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    };
    let written = write();
    let removed = fs::remove_file(&draft);
    let synced = path.parent().map_or(Ok(()), |folder| {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()
    });
    written.and(removed).and(synced).map_err(|error| StartError::File { path: path.to_owned(), error })
}
