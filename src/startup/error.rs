//! The error of a failed start.

use std::{io, path::PathBuf};

use crate::{
    config::{Config, label},
    domain::crypto::KeyringError,
    error::ServiceError,
    secret::InvalidMasterKey,
    secret_file::SecretFileError,
    server::TlsError,
    store::{self, DatabaseError, MigrateError},
    telemetry::ExporterError,
};

/// Why the service cannot start. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The master key is malformed or weak.
    #[error("{place}: {error}")]
    MasterKey {
        /// The setting or file that contains it.
        place: String,
        /// What is wrong with it.
        error: InvalidMasterKey,
    },
    /// A network database requires a configured master key.
    #[error(
        "{} or {} must be set because the database is a network database; generate a key with `vestibule keys \
         generate`",
        label("keys.master_key"),
        label("keys.master_key_file")
    )]
    NoMasterKey,
    /// The configured file of the master key does not exist.
    #[error(
        "{}: {} does not exist; restore it, or create one with `vestibule keys generate`",
        label("keys.master_key_file"), .0.display()
    )]
    NoKeyFile(PathBuf),
    /// The database contains sealed keys, but the file of their master key is missing.
    #[error(
        "the database contains keys, but the file of their master key is missing: {}; restore the file, or delete the \
         keys with `vestibule keys reset`, which revokes all sessions", .0.display()
    )]
    LostMasterKey(PathBuf),
    /// The file of the master key cannot be read, or other users can access it.
    #[error("{}: {}", label("keys.master_key_file"), .0)]
    KeyFile(#[from] SecretFileError),
    /// A file cannot be read or created.
    #[error("{}: {error}; check the path and its permissions", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// The database cannot be opened or migrated.
    #[error("{database}: {error}; {}", store::connect_advice(.error))]
    Database {
        /// The setting and the database, without user, password and options.
        database: String,
        /// The cause.
        error: DatabaseError,
    },
    /// A connection pooler gives each transaction another session.
    #[error("{database}: {}", store::POOLER_ADVICE)]
    SharedSessions {
        /// The setting and the database, without user, password and options.
        database: String,
    },
    /// The file of an SQLite database does not exist.
    #[error(
        "database.url (VESTIBULE_DATABASE__URL): {} does not exist; run the command in the folder and with the \
         configuration of the server (`vestibule user add` creates the database and the first user)", .0.display()
    )]
    NoDatabase(PathBuf),
    /// The file of an SQLite database does not exist, but a file that belongs to it does.
    #[error(
        "{} does not exist, but {} does and contains changes to it; put the database back, restore a backup with \
         `vestibule restore`, or remove the second file to begin with an empty database", .0.display(), .1.display()
    )]
    LostDatabase(PathBuf, PathBuf),
    /// A newer version has migrated the database.
    #[error(
        "{database}: {error}, and this is version {}; start the newer version, or restore a backup from before its \
         migration", env!("CARGO_PKG_VERSION")
    )]
    NewerSchema {
        /// The setting and the database, without user, password and options.
        database: String,
        /// The error, which names the newer migration.
        error: MigrateError,
    },
    /// The keys cannot be opened with the master key.
    #[error(
        "{0}; configure the master key that sealed them, or delete the keys with `vestibule keys reset`, which revokes \
         all sessions"
    )]
    Keyring(KeyringError),
    /// A key that was used is missing or damaged.
    #[error(
        "{0}; restore a backup of the database, or delete the keys with `vestibule keys reset`, which revokes all \
         sessions"
    )]
    LostKey(KeyringError),
    /// The head of the audit log is missing.
    #[error(
        "the head of the audit log is missing from the database; restore a backup of the database, or delete the keys \
         with `vestibule keys reset`, which revokes all sessions"
    )]
    LostAuditHead,
    /// The exporter of traces cannot be created.
    #[error("{}: {}; check the URL and the environment variables OTEL_*", label("traces.endpoint"), .0)]
    Traces(#[from] ExporterError),
    /// The TLS certificate or its private key is unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Any other failure.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl StartError {
    /// Returns whether a retry may succeed because the database is unreachable or locked. An unusable SQLite file is a
    /// permanent error, and so are a rejected password and an unsupported method of authentication.
    pub(super) fn is_transient(&self, config: &Config) -> bool {
        let (conflict, unavailable) = match self {
            Self::Database { error, .. } => {
                (store::is_conflict(error), store::is_unavailable(error) && !store::is_permanent(error))
            }
            Self::Service(ServiceError::Unavailable { .. }) => (true, true),
            _ => (false, false),
        };
        conflict || (unavailable && config.database.file().is_none())
    }
}
