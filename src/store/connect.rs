//! Opens connections to the database.

use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    ConnectOptions as _, Connection as _, MySql, Postgres,
    mysql::MySqlConnectOptions,
    pool::PoolOptions,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::{
    error::is_conflict,
    retry::{RetryPolicy, retry},
    sql,
};

/// How long a connection may take to open if no request waits for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the attempt to find the cause of a timeout may take.
const EXPLAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// How long work waits for a free connection or a new one.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long work waits for a free connection or a new one on SQLite, where work holds a connection only for a bounded
/// time.
const SQLITE_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long SQLite waits for a writer in another process.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one statement may run on PostgreSQL and MariaDB. It ends abandoned statements.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a statement waits for a lock on PostgreSQL, MySQL and MariaDB, so that one locked row cannot occupy every
/// connection.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// The retries after a conflict while an SQLite file is opened. Opening a new file switches it to WAL. SQLite's busy
/// timeout does not apply during the switch, so a process that opens the file at the same time must retry.
const SQLITE_OPEN_RETRY: RetryPolicy = RetryPolicy {
    first_delay: Duration::from_millis(5),
    max_delay: Duration::from_millis(50),
    max_retries: None,
    give_up_after: SQLITE_BUSY_TIMEOUT,
};

/// Opens a pool of at most `max_connections` to the database at `url`, without deadlines, for migrations and tests.
/// Creates a missing SQLite file.
///
/// # Errors
/// Returns a [`DbErr`] if the database is unreachable.
pub async fn connect(url: &SecretString, max_connections: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = connect_options(url, max_connections);
    options
        .acquire_timeout(CONNECT_TIMEOUT)
        .map_sqlx_postgres_pool_opts(limit_postgres_statements)
        .map_sqlx_mysql_pool_opts(limit_mysql_statements);
    open(options).await
}

/// Returns the options of all connections to `url`, except [`limit_postgres_statements`] and
/// [`limit_mysql_statements`].
pub(super) fn connect_options(url: &SecretString, max_connections: u32) -> ConnectOptions {
    let url = url.expose_secret();
    let acquire_timeout = if is_sqlite(url) { SQLITE_ACQUIRE_TIMEOUT } else { ACQUIRE_TIMEOUT };

    let mut options = ConnectOptions::new(url);
    options.max_connections(max_connections).acquire_timeout(acquire_timeout).sqlx_logging(false);
    // If either of them is set, sqlx runs a task that loops once for each idle connection that it counts. While a
    // connection is being returned, that count can be negative for a moment, and then the task blocks its thread.
    // `ConnectionCheck` retires connections instead.
    options.idle_timeout(None).max_lifetime(None);
    options.map_sqlx_sqlite_opts(|sqlite| sqlite_options(sqlite).create_if_missing(true));
    options.map_sqlx_postgres_opts(without_float_digits);
    options
}

/// Sets the options of every SQLite connection. The file must exist.
pub(super) fn sqlite_options(sqlite: SqliteConnectOptions) -> SqliteConnectOptions {
    sqlite
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .foreign_keys(true)
}

/// Returns whether the database at `url` is an SQLite file.
pub(super) fn is_sqlite(url: &str) -> bool {
    url.starts_with("sqlite")
}

/// Removes the startup parameter `extra_float_digits`, which PgBouncer rejects. It only affects floats, and no table
/// contains floats.
pub(super) fn without_float_digits(postgres: PgConnectOptions) -> PgConnectOptions {
    postgres.extra_float_digits(None)
}

/// Sets the statement limits of each PostgreSQL connection. They are not startup parameters, because PgBouncer rejects
/// those.
pub(super) fn limit_postgres_statements(pool: PoolOptions<Postgres>) -> PoolOptions<Postgres> {
    pool.after_connect(|connection, _| {
        Box::pin(sql::limit_postgres_statements(connection, LOCK_TIMEOUT, STATEMENT_TIMEOUT))
    })
}

/// Sets the statement limits of each MySQL and MariaDB connection.
pub(super) fn limit_mysql_statements(pool: PoolOptions<MySql>) -> PoolOptions<MySql> {
    pool.after_connect(|connection, _| {
        Box::pin(sql::limit_mysql_statements(connection, LOCK_TIMEOUT, STATEMENT_TIMEOUT))
    })
}

/// Opens a pool and its first connection.
#[expect(clippy::disallowed_methods, reason = "the only place that opens the database")]
pub(super) async fn open(options: ConnectOptions) -> Result<DatabaseConnection, DbErr> {
    let sqlite = is_sqlite(options.get_url());
    let is_switching_to_wal = |error: &DbErr| sqlite && is_conflict(error);
    let opened = retry(SQLITE_OPEN_RETRY, || Database::connect(options.clone()), is_switching_to_wal, |_, _| {}).await;
    match opened {
        Err(error) => Err(explain_timeout(error, options.get_url()).await),
        opened => opened,
    }
}

/// Replaces the timeout of a pool with the error of a single connection, if that fails too. A pool retries refused
/// connections, and then reports only that the timeout has expired.
async fn explain_timeout(error: DbErr, url: &str) -> DbErr {
    let is_timeout = matches!(
        &error,
        DbErr::Conn(RuntimeErr::SqlxError(cause)) if matches!(**cause, sqlx::Error::PoolTimedOut)
    );
    if !is_timeout {
        return error;
    }
    match tokio::time::timeout(EXPLAIN_TIMEOUT, connect_once(url)).await {
        Ok(Err(cause)) => DbErr::Conn(RuntimeErr::SqlxError(cause.into())),
        Ok(Ok(())) | Err(_) => error,
    }
}

async fn connect_once(url: &str) -> Result<(), sqlx::Error> {
    if url.starts_with("postgres") {
        without_float_digits(url.parse()?).connect().await?.close().await
    } else if url.starts_with("mysql") {
        url.parse::<MySqlConnectOptions>()?.connect().await?.close().await
    } else {
        Ok(())
    }
}
