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
    /// The master key is malformed or weak.
    #[error("{place}: {error}")]
    MasterKey {
        /// The setting or file that holds it.
        place: String,
        /// What is wrong with it.
        error: InvalidMasterKey,
    },
    /// A network database needs a configured master key.
    #[error(
        "keys.master_key (VESTIBULE_KEYS__MASTER_KEY) or keys.master_key_file (VESTIBULE_KEYS__MASTER_KEY_FILE) must be \
         set with this database; `vestibule keys generate` prints a key"
    )]
    NoMasterKey,
    /// The configured file of the master key does not exist.
    #[error("keys.master_key_file (VESTIBULE_KEYS__MASTER_KEY_FILE): {} does not exist; restore it, or create one with \
         `vestibule keys generate`", .0.display())]
    NoKeyFile(PathBuf),
    /// The database holds sealed keys, but the file of their master key is missing.
    #[error(
        "the database holds keys, but {} is missing; restore it, or give up all sessions and tokens with \
         `vestibule keys reset`", .0.display()
    )]
    LostMasterKey(PathBuf),
    /// Other users can read the file of the master key.
    #[error("{}: other users can read the master key (mode {mode:o}); `chmod 600` it", .path.display())]
    LooseKeyFile {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file cannot be read or created.
    #[error("{}: {error}; check the path and its permissions", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// The database cannot be opened or migrated.
    #[error("database.url (VESTIBULE_DATABASE__URL): {database}: {error}")]
    Database {
        /// The database, without user, password and options.
        database: String,
        /// The cause.
        error: DatabaseError,
    },
    /// The database belongs to a newer version.
    #[error(
        "database.url (VESTIBULE_DATABASE__URL): {database}: {error}, and this is {}; start that version, or restore the \
         backup from before it", env!("CARGO_PKG_VERSION")
    )]
    NewerSchema {
        /// The database, without user, password and options.
        database: String,
        /// The error, which names the newer migration.
        error: MigrateError,
    },
    /// The keys cannot be opened with the master key.
    #[error(
        "{0}; start with the master key that made them, or give up all sessions and tokens with `vestibule keys reset`"
    )]
    Keyring(KeyringError),
    /// A key that was used is missing or damaged.
    #[error("{0}; restore the database's backup, or give up all sessions and tokens with `vestibule keys reset`")]
    LostKey(KeyringError),
    /// The head of the audit log is missing.
    #[error(
        "the database has lost the head of its audit log; restore the database's backup, or give up all sessions and \
         tokens with `vestibule keys reset`"
    )]
    LostAuditHead,
    /// The TLS certificate or its private key is unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Any other failure.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl StartError {
    /// Returns whether a retry may succeed: the database is unreachable or locked. An SQLite file that cannot be used
    /// is a permanent error.
    pub(super) fn is_transient(&self, config: &Config) -> bool {
        let (conflict, unavailable) = match self {
            Self::Database { error, .. } => (store::is_conflict(error), store::is_unavailable(error)),
            Self::Service(ServiceError::Unavailable { .. }) => (true, true),
            _ => (false, false),
        };
        conflict || (unavailable && config.database.file().is_none())
    }
}
