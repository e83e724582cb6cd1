//! The database: how it is opened, and brought to the current schema.

use std::time::{Duration, Instant};

use migration::{Migrator, MigratorTrait as _};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DbErr, IntoDatabaseExecutor,
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    AssertSqlSafe, Executor as _, MySql,
    pool::PoolOptions,
    sqlite::{SqliteJournalMode, SqliteSynchronous},
};

use super::transaction::begin_write;
pub use super::transaction::{is_conflict, is_unavailable};
use crate::clock::Timestamp;

/// How long a connection may take to be made where no request waits for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long work waits for a connection, or for a new one to be made.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// The same on SQLite, whose connections are only kept by work that will end.
const SQLITE_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long SQLite waits for another writer.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often and how far apart opening an SQLite file is tried again, where SQLite itself does not wait.
const SQLITE_BUSY_TRIES: u32 = 250;
const SQLITE_BUSY_PAUSE: Duration = Duration::from_millis(20);
/// How long one statement may take on PostgreSQL and MariaDB, so that one that was left does not go on for long.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a statement waits for a lock on PostgreSQL, MySQL and MariaDB, so that a row that somebody holds does not
/// hold all connections.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an instance waits for another one that is migrating.
const MIGRATION_LOCK_TIMEOUT: Duration = Duration::from_mins(1);
/// The pause before a change of a table is tried again that others used.
const MIGRATION_PAUSE: Duration = Duration::from_millis(50);
/// Names the migration lock: on PostgreSQL an arbitrary number, on MySQL a name.
const MIGRATION_LOCK_NUMBER: i64 = 0x7665_7374_6962;
const MIGRATION_LOCK_NAME: &str = "vestibule_migration";

/// A pool of at most `max_connections` to the database at `url`, without bounds on what is done with it: for what runs
/// before and beside the rules. A missing SQLite file is created.
///
/// # Errors
/// The database's, when it cannot be reached.
pub async fn connect(url: &SecretString, max_connections: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = options(url, max_connections);
    options.acquire_timeout(CONNECT_TIMEOUT).map_sqlx_mysql_pool_opts(limited);
    open(options).await
}

/// What all connections to the database at `url` have in common, but for [`limited`].
pub(super) fn options(url: &SecretString, max_connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.expose_secret());
    let sqlite = url.expose_secret().starts_with("sqlite");
    let acquire_timeout = if sqlite { SQLITE_ACQUIRE_TIMEOUT } else { ACQUIRE_TIMEOUT };
    options.max_connections(max_connections).acquire_timeout(acquire_timeout).sqlx_logging(false).map_sqlx_sqlite_opts(
        |sqlite| {
            sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(SQLITE_BUSY_TIMEOUT)
                .foreign_keys(true)
        },
    );
    if url.expose_secret().starts_with("postgres") {
        options.statement_timeout(STATEMENT_TIMEOUT);
        let lock_timeout = LOCK_TIMEOUT.as_millis().to_string();
        options.map_sqlx_postgres_opts(move |postgres| postgres.options([("lock_timeout", &lock_timeout)]));
    }
    options
}

/// Bounds the statements of each connection to MySQL and MariaDB.
pub(super) fn limited(pool: PoolOptions<MySql>) -> PoolOptions<MySql> {
    pool.after_connect(|connection, _| {
        let limits = mysql_limits(LOCK_TIMEOUT, STATEMENT_TIMEOUT);
        Box::pin(async move { connection.execute(AssertSqlSafe(limits)).await.map(drop) })
    })
}

/// Opens a pool, which has then reached the database.
#[expect(clippy::disallowed_methods, reason = "the one place that opens the database")]
pub(super) async fn open(options: ConnectOptions) -> Result<DatabaseConnection, DbErr> {
    let mut tries = if options.get_url().starts_with("sqlite") { SQLITE_BUSY_TRIES } else { 0 };
    loop {
        match Database::connect(options.clone()).await {
            // Whoever opens a new SQLite file switches it to WAL, and for that moment SQLite lets nobody wait.
            Err(error) if is_conflict(&error) && tries > 0 => {
                tries = tries.saturating_sub(1);
                tokio::time::sleep(SQLITE_BUSY_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Sets how long a statement waits for a lock; on MariaDB, which alone reads the comment, also how long it takes in all,
/// where 0 means that there is no bound.
fn mysql_limits(lock: Duration, statement: Duration) -> String {
    let (lock, statement) = (lock.as_secs(), statement.as_secs());
    format!("SET SESSION innodb_lock_wait_timeout = {lock} /*M!100100 , max_statement_time = {statement} */")
}

/// Why the schema is not this build's.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer version has been here. What it changed may have another meaning for this one.
    #[error("a newer version of Vestibule has changed the schema ({0})")]
    Newer(String),
    /// The database's.
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// Brings the schema to this build's. Of several instances that start at once one migrates and the others wait: the
/// lock is held on the very connection that migrates, so that it goes with the connection when an instance dies.
///
/// # Errors
/// [`MigrateError`]; the database's also when the lock was not to be had within a minute.
pub async fn migrate(url: &SecretString) -> Result<(), MigrateError> {
    let db = connect(url, 1).await?;
    let outcome = match db.get_database_backend() {
        DatabaseBackend::Sqlite => migrate_sqlite(&db).await,
        DatabaseBackend::Postgres => {
            let seconds = MIGRATION_LOCK_TIMEOUT.as_secs();
            db.execute_unprepared(&format!("SET lock_timeout = '{seconds}s'; SET statement_timeout = 0")).await?;
            db.execute_unprepared(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK_NUMBER})")).await?;
            db.execute_unprepared("SET lock_timeout = '200ms'").await?;
            up_between_others(&db).await
        }
        _ => migrate_mysql(&db).await,
    };
    db.close().await?;
    outcome
}

async fn migrate_sqlite(db: &DatabaseConnection) -> Result<(), MigrateError> {
    let transaction = begin_write(db).await?;
    up(&transaction).await?;
    Ok(transaction.commit().await?)
}

async fn migrate_mysql(db: &DatabaseConnection) -> Result<(), MigrateError> {
    let seconds = MIGRATION_LOCK_TIMEOUT.as_secs();
    db.execute_unprepared(&mysql_limits(MIGRATION_LOCK_TIMEOUT, Duration::ZERO)).await?;
    let statement = format!("SELECT GET_LOCK('{MIGRATION_LOCK_NAME}', {seconds}) AS granted");
    let row = db.query_one_raw(sea_orm::Statement::from_string(db.get_database_backend(), statement)).await?;
    let granted: Option<i64> = match row {
        Some(row) => row.try_get("", "granted")?,
        None => None,
    };
    if granted != Some(1) {
        return Err(DbErr::Migration("another instance has been migrating for a minute".to_owned()).into());
    }
    // At once or not: whoever waits for a table holds up all that come to it later.
    db.execute_unprepared("SET SESSION lock_wait_timeout = 1 /*M!100300 - 1 */").await?;
    up_between_others(db).await
}

/// Migrates while instances of an older version use the tables. A change of a table that waits for those who use it holds
/// up all who come later, so it waits for a moment only and is tried again.
async fn up_between_others(db: &DatabaseConnection) -> Result<(), MigrateError> {
    let begun = Instant::now();
    loop {
        match up(db).await {
            Err(MigrateError::Database(error)) if is_conflict(&error) && begun.elapsed() < MIGRATION_LOCK_TIMEOUT => {
                tokio::time::sleep(MIGRATION_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Runs the migrations that are still to be run; says nothing where there are none.
async fn up<'c, C>(connection: &'c C) -> Result<(), MigrateError>
where
    C: ConnectionTrait,
    &'c C: IntoDatabaseExecutor<'c>,
{
    let known = Migrator::migrations();
    let done = Migrator::get_migration_models(connection).await?;
    if let Some(newer) = done.into_iter().find(|done| known.iter().all(|known| known.name() != done.version)) {
        return Err(MigrateError::Newer(newer.version));
    }
    if Migrator::get_pending_migrations(connection).await?.is_empty() {
        return Ok(());
    }
    Ok(Migrator::up(connection, None).await?)
}

/// The database's own time; SQLite has none.
///
/// # Errors
/// The database's.
pub(super) async fn time(db: &impl ConnectionTrait) -> Result<Option<Timestamp>, DbErr> {
    let statement = match db.get_database_backend() {
        DatabaseBackend::Sqlite => return Ok(None),
        DatabaseBackend::Postgres => "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS micros",
        // In UTC, because a local time comes round twice when summer ends.
        _ => "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) AS micros",
    };
    let row = db.query_one_raw(sea_orm::Statement::from_string(db.get_database_backend(), statement)).await?;
    let micros = row.map(|row| row.try_get("", "micros")).transpose()?;
    Ok(micros.map(Timestamp::from_micros))
}

/// Whether every migration of this build has been done. It has at the start; a backup that is put back may undo one.
///
/// # Errors
/// The database's.
pub(super) async fn is_current(connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let done = Migrator::get_migration_models(connection).await?;
    Ok(Migrator::migrations().iter().all(|known| done.iter().any(|done| done.version == known.name())))
}
