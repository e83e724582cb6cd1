//! Why the service cannot start.

use std::{io, path::PathBuf};

use crate::{
    config::Config,
    domain::crypto::KeyringError,
    error::ServiceError,
    secret::InvalidMasterKey,
    server::TlsError,
    store::{self, DatabaseError, MigrateError},
};

/// Why the service cannot start, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key is unusable.
    #[error("{place}: {error}")]
    MasterKey {
        /// The setting or file that holds it.
        place: String,
        /// What is wrong with it.
        error: InvalidMasterKey,
    },
    /// A network database needs a key that every instance is given.
    #[error(
        "keys.master_key (VESTIBULE_KEYS__MASTER_KEY) or keys.master_key_file (VESTIBULE_KEYS__MASTER_KEY_FILE) must be \
         set with this database; `vestibule keys generate` prints a key"
    )]
    NoMasterKey,
    /// The file that is configured does not exist.
    #[error("keys.master_key_file (VESTIBULE_KEYS__MASTER_KEY_FILE): {} does not exist", .0.display())]
    NoKeyFile(PathBuf),
    /// The database holds keys, and the key that opens them is gone.
    #[error(
        "the database holds keys, but {} is missing; restore it, or give up all sessions and tokens with \
         `vestibule keys reset`", .0.display()
    )]
    LostMasterKey(PathBuf),
    /// Others can read the key.
    #[error("{}: other users can read the master key (mode {mode:o}); `chmod 600` it", .path.display())]
    LooseKeyFile {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file cannot be read or made.
    #[error("{}: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The database cannot be opened or migrated.
    #[error("database.url (VESTIBULE_DATABASE__URL): {database}: {error}")]
    Database {
        /// The database, as it may be shown.
        database: String,
        /// Why.
        error: DatabaseError,
    },
    /// The database belongs to a newer version.
    #[error(
        "database.url (VESTIBULE_DATABASE__URL): {database}: {error}, and this is {}; start that version, or restore the \
         backup from before it", env!("CARGO_PKG_VERSION")
    )]
    NewerSchema {
        /// The database, as it may be shown.
        database: String,
        /// What has changed it.
        error: MigrateError,
    },
    /// The keys do not open.
    #[error(
        "{0}; start with the master key that made them, or give up all sessions and tokens with `vestibule keys reset`"
    )]
    Keyring(KeyringError),
    /// A key is gone.
    #[error("{0}; restore the database's backup, or give up all sessions and tokens with `vestibule keys reset`")]
    LostKey(KeyringError),
    /// The head of the audit log is gone.
    #[error(
        "the database has lost the head of its audit log; restore the database's backup, or give up all sessions and \
         tokens with `vestibule keys reset`"
    )]
    LostAuditHead,
    /// Certificate and key are unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Something else failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl StartError {
    /// Returns whether a retry may succeed: the database is away or locked. An error of a file is permanent.
    pub(super) fn is_transient(&self, config: &Config) -> bool {
        let (conflict, unavailable) = match self {
            Self::Database { error, .. } => (store::is_conflict(error), store::is_unavailable(error)),
            Self::Service(ServiceError::Unavailable { .. }) => (true, true),
            _ => (false, false),
        };
        conflict || (unavailable && config.database.file().is_none())
    }
}
