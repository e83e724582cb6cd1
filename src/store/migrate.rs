//! Migrations: bring the schema up to the version of this build.

use std::time::Duration;

use migration::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, IntoDatabaseExecutor};
use secrecy::SecretString;

use super::{
    connect::connect,
    error::is_conflict,
    retry::{RetryPolicy, retry},
    sql,
    transaction::begin_write,
};

/// How long an instance waits while another instance migrates.
const LOCK_TIMEOUT: Duration = Duration::from_mins(1);

/// The retries of a migration while its tables are in use. A statement that alters a table waits for the transactions
/// that use the table, and blocks all later ones. Its lock timeout is therefore short, and it is retried.
const TABLE_RETRY: RetryPolicy = RetryPolicy {
    first_delay: Duration::from_millis(25),
    max_delay: Duration::from_millis(50),
    max_retries: None,
    give_up_after: LOCK_TIMEOUT,
};

/// Why a migration failed.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer version has migrated the database. This build does not know the newer schema.
    #[error("a newer version of Vestibule has migrated the database ({0})")]
    Newer(String),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// Runs the pending migrations. If several instances start at once, one migrates and the others wait. The lock belongs
/// to the connection that migrates, so the database releases it if the instance crashes.
///
/// # Errors
/// Returns a [`MigrateError`] if a migration fails, or if the lock is not free within a minute.
pub async fn migrate(url: &SecretString) -> Result<(), MigrateError> {
    let db = connect(url, 1).await?;
    let outcome = match db.get_database_backend() {
        DatabaseBackend::Sqlite => migrate_in_transaction(&db).await,
        DatabaseBackend::Postgres => {
            sql::lock_postgres_migration(&db, LOCK_TIMEOUT).await?;
            migrate_with_retry(&db).await
        }
        _ => {
            sql::lock_mysql_migration(&db, LOCK_TIMEOUT).await?;
            migrate_with_retry(&db).await
        }
    };
    db.close().await?;
    outcome
}

/// Returns whether every migration of this build has run. A restored backup may lack some.
pub async fn is_current(connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let done = Migrator::get_migration_models(connection).await?;
    Ok(Migrator::migrations().iter().all(|known| done.iter().any(|done| done.version == known.name())))
}

async fn migrate_in_transaction(db: &DatabaseConnection) -> Result<(), MigrateError> {
    let transaction = begin_write(db).await?;
    run_pending(&transaction).await?;
    Ok(transaction.commit().await?)
}

async fn migrate_with_retry(db: &DatabaseConnection) -> Result<(), MigrateError> {
    let is_table_in_use = |error: &MigrateError| matches!(error, MigrateError::Database(error) if is_conflict(error));
    retry(TABLE_RETRY, || run_pending(db), is_table_in_use, |_, _| {}).await
}

/// Runs the pending migrations, and logs how many they were.
async fn run_pending<'c, C>(connection: &'c C) -> Result<(), MigrateError>
where
    C: ConnectionTrait,
    &'c C: IntoDatabaseExecutor<'c>,
{
    let known = Migrator::migrations();
    let done = Migrator::get_migration_models(connection).await?;
    if let Some(newer) = done.into_iter().find(|done| known.iter().all(|known| known.name() != done.version)) {
        return Err(MigrateError::Newer(newer.version));
    }
    let pending = Migrator::get_pending_migrations(connection).await?.len();
    if pending > 0 {
        Migrator::up(connection, None).await?;
        tracing::info!(migrations = pending, "migrated the database to the current schema");
    }
    Ok(())
}
