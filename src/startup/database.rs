//! Opens the database.

use std::sync::Arc;

use super::{error::StartError, file_permissions::create_database_file};
use crate::{
    config::Config,
    metrics::Metrics,
    store::{self, MigrateError, Pool},
};

/// Checks that the file of an SQLite database exists, for commands that must not create an empty one.
pub fn check_database_exists(config: &Config) -> Result<(), StartError> {
    match config.database.file() {
        Some(file) if !file.exists() => Err(StartError::NoDatabase(file)),
        _ => Ok(()),
    }
}

/// Opens the database and brings it to the current schema.
pub async fn open_database(config: &Config, metrics: &Arc<Metrics>) -> Result<Pool, StartError> {
    if let Some(file) = config.database.file() {
        create_database_file(&file)?;
    }
    let url = config.database.url.secret();
    let database = || config.database.label();
    let failed = |error| {
        if store::is_shared_session(&error) {
            StartError::SharedSessions { database: database() }
        } else {
            StartError::Database { database: database(), error }
        }
    };
    if store::shares_sessions(url).await.map_err(failed)? {
        return Err(StartError::SharedSessions { database: database() });
    }
    store::migrate(url).await.map_err(|error| match error {
        MigrateError::Database(error) => failed(error),
        error @ MigrateError::Newer(_) => StartError::NewerSchema { database: database(), error },
    })?;
    let file = config.database.file();
    Pool::open(url, file.as_deref(), config.database.max_connections.get(), metrics).await.map_err(failed)
}
