//! The connection pool of the use cases: every statement and every transaction has a deadline.

use std::{io, path::Path, sync::Arc, time::Duration};

use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    prelude::async_trait::async_trait,
};
use secrecy::SecretString;
use sqlx::{Sqlite, pool::PoolOptions};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument as _;

use super::{
    connect::{connect_options, limit_mysql_statements, limit_postgres_statements, open, sqlite_options},
    connection_check::ConnectionCheck,
    deadline::within_budget,
    error::{is_conflict, is_shared_session, is_unavailable},
    sqlite_file::OpenFiles,
};
use crate::metrics::{DatabaseErrorKind, Metrics};

/// The time budget of a unit of work on PostgreSQL, MySQL and MariaDB: one statement, or one transaction with its
/// retries. All units of one request together have the same budget.
const NETWORK_BUDGET: Duration = Duration::from_millis(2500);
/// The time budget on SQLite: half a second more than SQLite waits for a writer in another process.
const SQLITE_BUDGET: Duration = Duration::from_millis(5500);
/// How much of a request's budget is reserved for its other work while it waits to count an attempt.
const COUNTING_RESERVE: Duration = Duration::from_millis(500);

/// A pool of connections to the database.
#[derive(Debug)]
pub struct Pool {
    connections: DatabaseConnection,
    /// The files of an SQLite database, with a connection that keeps them open.
    files: Option<(OpenFiles, DatabaseConnection)>,
    budget: Duration,
    /// SQLite allows one writer at a time. Writers of this process queue here in order of arrival. SQLite itself would
    /// make them poll while each holds a connection that readers need.
    writer: Option<Semaphore>,
    /// Limits the concurrent transactions that count attempts. Any client can cause these transactions, and without the
    /// limit other writers would wait behind all of them.
    counting: Semaphore,
    check: ConnectionCheck,
    metrics: Arc<Metrics>,
}

impl Pool {
    /// Opens a pool of at most `max_connections` to the database at `url`. `file` is the file of an SQLite database, which
    /// must exist.
    ///
    /// # Errors
    /// Returns a [`DbErr`] if the database is unreachable.
    pub async fn open(
        url: &SecretString,
        file: Option<&Path>,
        max_connections: u32,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, DbErr> {
        let check = ConnectionCheck::default();
        let files = match file {
            Some(path) => Some(OpenFiles::open(url, path).await?),
            None => None,
        };
        let mut options = connect_options(url, max_connections);
        let (postgres, mysql, sqlite) = (check.clone(), check.clone(), check.clone());
        options.map_sqlx_postgres_pool_opts(move |pool| postgres.install(limit_postgres_statements(pool)));
        options.map_sqlx_mysql_pool_opts(move |pool| mysql.install(limit_mysql_statements(pool)));
        options.map_sqlx_sqlite_opts(sqlite_options);
        let opened = files.as_ref().map(|(files, _)| files.clone());
        options.map_sqlx_sqlite_pool_opts(move |pool| reject_other_files(sqlite.install(pool), opened.clone()));

        let sqlite = files.is_some();
        let counting = if sqlite { 1 } else { (max_connections as usize / 2).max(1) };
        Ok(Self {
            connections: open(options).await?,
            files,
            budget: if sqlite { SQLITE_BUDGET } else { NETWORK_BUDGET },
            writer: sqlite.then(|| Semaphore::new(1)),
            counting: Semaphore::new(counting),
            check,
            metrics: Arc::clone(metrics),
        })
    }

    /// Closes all connections. Later work fails because the database is unavailable.
    pub async fn close(&self) -> Result<(), DbErr> {
        self.connections.clone().close().await?;
        match &self.files {
            Some((_, connection)) => connection.clone().close().await,
            None => Ok(()),
        }
    }

    /// Checks that the files of an SQLite database are still the ones that were opened. All work fails as long as they
    /// are not.
    ///
    /// # Errors
    /// Returns [`DbErr::Conn`] if a file was moved, deleted or replaced.
    pub fn check_files(&self) -> Result<(), DbErr> {
        self.files.as_ref().map_or(Ok(()), |(files, _)| files.check())
    }

    /// Returns how many connections are open, and how many of them are idle.
    pub fn open_and_idle(&self) -> (usize, usize) {
        let (open, idle) = match self.connections.get_database_backend() {
            DatabaseBackend::Sqlite => count_connections(self.connections.get_sqlite_connection_pool()),
            DatabaseBackend::Postgres => count_connections(self.connections.get_postgres_connection_pool()),
            _ => count_connections(self.connections.get_mysql_connection_pool()),
        };
        (open as usize, idle.min(open as usize))
    }

    /// Waits for a permit to run a transaction that counts an attempt. Hold the permit until the transaction has ended.
    ///
    /// # Errors
    /// Returns [`DbErr::Conn`] if the wait would leave the request too little time for its other work.
    pub async fn acquire_counting_permit(&self) -> Result<SemaphorePermit<'_>, DbErr> {
        let permit = within_budget(self.budget, COUNTING_RESERVE, self.counting.acquire()).await?;
        permit.map_err(|closed| DbErr::Conn(RuntimeErr::Internal(closed.to_string())))
    }

    /// Waits until this process has no other writer, if the database allows only one.
    pub(super) async fn acquire_writer(&self) -> Option<SemaphorePermit<'_>> {
        match &self.writer {
            Some(writer) => writer.acquire().await.ok(),
            None => None,
        }
    }

    /// Returns the connections without deadlines, for work that has one deadline as a whole.
    pub(super) const fn connections(&self) -> &DatabaseConnection {
        &self.connections
    }

    /// Counts a database error in the metrics.
    pub(super) fn record_error(&self, error: &DbErr) {
        self.metrics.record_database_error(if is_conflict(error) {
            DatabaseErrorKind::Conflict
        } else if is_unavailable(error) {
            DatabaseErrorKind::Unavailable
        } else {
            DatabaseErrorKind::Other
        });
    }

    /// Closes the connections that return to the pool within the next second, because one of them may have caused the
    /// failure.
    pub(super) fn record_failure(&self) {
        self.check.record_failure();
    }

    /// Runs a unit of work with its deadline. A write that misses the deadline may or may not have been committed.
    ///
    /// The files of an SQLite database are checked before and after the work, so that no response reports a write to a
    /// file that nobody will open again.
    pub(super) async fn with_deadline<T>(&self, work: impl Future<Output = T>) -> Result<T, DbErr> {
        self.check_files()?;
        // Pinned here, because the future is large and would be moved by value.
        let work = std::pin::pin!(work);
        let outcome = within_budget(self.budget, Duration::ZERO, work).await;
        let outcome = outcome.and_then(|outcome| self.check_files().map(|()| outcome));
        if outcome.is_err() {
            self.record_failure();
        }
        outcome
    }

    /// Runs one statement as a unit of work.
    async fn run_statement<T>(&self, statement: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let span = tracing::debug_span!("query");
        let outcome = self.with_deadline(statement).instrument(span).await.flatten();
        outcome.inspect_err(|error| {
            self.record_error(error);
            if is_shared_session(error) {
                self.record_failure();
            }
        })
    }
}

/// Closes a new connection if its file is not the one that the pool has opened.
fn reject_other_files(pool: PoolOptions<Sqlite>, opened: Option<OpenFiles>) -> PoolOptions<Sqlite> {
    pool.after_connect(move |_, _| {
        let checked = opened.as_ref().map_or(Ok(()), OpenFiles::check);
        Box::pin(async move { checked.map_err(|error| sqlx::Error::Io(io::Error::other(error))) })
    })
}

fn count_connections<D: sqlx::Database>(pool: &sqlx::Pool<D>) -> (u32, usize) {
    (pool.size(), pool.num_idle())
}

/// Each statement outside a transaction is a unit of work.
#[async_trait]
impl ConnectionTrait for Pool {
    fn get_database_backend(&self) -> DatabaseBackend {
        self.connections.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.run_statement(self.connections.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.run_statement(self.connections.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run_statement(self.connections.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run_statement(self.connections.query_all_raw(statement)).await
    }
}
