//! Opens the database.

use std::sync::Arc;

use super::{error::StartError, file_permissions::create_database_file};
use crate::{
    config::Config,
    metrics::Metrics,
    store::{self, MigrateError, Pool},
};

/// Opens the database and brings it to the current schema.
pub async fn open_database(config: &Config, metrics: &Arc<Metrics>) -> Result<Pool, StartError> {
    if let Some(file) = config.database.file() {
        create_database_file(&file)?;
    }
    let failed = |error| StartError::Database { database: config.database.label(), error };
    store::migrate(config.database.url.secret()).await.map_err(|error| match error {
        MigrateError::Database(error) => failed(error),
        error @ MigrateError::Newer(_) => StartError::NewerSchema { database: config.database.label(), error },
    })?;
    Pool::open(config.database.url.secret(), config.database.max_connections.get(), metrics).await.map_err(failed)
}
