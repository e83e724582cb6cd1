//! The pool: the database as the rules use it. Whatever happens to the database, each unit of work ends in time.

use std::{
    cell::Cell,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    prelude::async_trait::async_trait,
};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{Connection, Sqlite, SqliteConnection, pool::PoolOptions};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument as _;

use super::{
    database,
    transaction::{is_conflict, is_unavailable},
};
use crate::metrics::{DatabaseError, Metrics};

/// How long a unit of work may take on PostgreSQL, MySQL and MariaDB: one read, or one transaction with the times that it
/// is tried again; also all units of a request together.
const NETWORK_BOUND: Duration = Duration::from_millis(2500);
/// How long it may take on SQLite: half a second more than SQLite waits for a writer in another process.
const SQLITE_BOUND: Duration = Duration::from_millis(5500);
/// How much of a request's time is kept for its work while it waits for its turn to count a try.
const KEPT: Duration = Duration::from_millis(500);
/// How long after there was reason to doubt them connections that are given back are looked at.
const WATCHED: Duration = Duration::from_secs(1);
/// How long one of them may take to answer.
const PROOF: Duration = Duration::from_millis(500);

tokio::task_local! {
    /// How long the request that is being served has waited for the database so far.
    static WAITED: Cell<Duration>;
}

/// Runs the work of one request: all its units together wait for the database no longer than one of them may.
pub async fn as_one_request<F: Future>(work: F) -> F::Output {
    WAITED.scope(Cell::new(Duration::ZERO), work).await
}

/// A bounded number of connections to the database, and bounds on what is done with them.
#[derive(Debug)]
pub struct Pool {
    db: DatabaseConnection,
    bound: Duration,
    /// SQLite has one writer at a time. Those of this process queue here, first come first served: SQLite's own waiting
    /// is by sleeping and looking again, and each that waits there keeps a connection from those that read.
    writer: Option<Semaphore>,
    /// What anybody may cause by asking, the counting of tries, queues here before it queues with all else: then that
    /// waits behind a few of them, however many there are.
    counters: Semaphore,
    doubts: Arc<Doubts>,
    metrics: Arc<Metrics>,
}

/// When connections last came back in a state that nobody knows.
#[derive(Debug, Default)]
struct Doubts {
    /// Work overran, or the database refused it for a reason that may be the connection's: it is to a file or a server
    /// that takes no writes.
    failed: Last,
    /// Whoever waited for the work left.
    cancelled: Last,
}

#[derive(Debug, Default)]
struct Last(Mutex<Option<Instant>>);

impl Last {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_recent(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|last| last.elapsed() < WATCHED)
    }
}

impl Doubts {
    /// Whether a connection that is given back may be used again. One whose work failed is closed, and so are those that
    /// come back at the same moment: they cannot be told apart. One whose caller left has to answer first.
    async fn spare<C: Connection>(&self, connection: &mut C) -> bool {
        if self.failed.is_recent() {
            return false;
        }
        !self.cancelled.is_recent() || answers(connection).await
    }

    /// The same on SQLite. When it has no room it undoes a transaction by itself, about which sqlx is not told: it would
    /// begin the next one inside of the last, and hold the database when that fails.
    async fn spare_sqlite(&self, connection: &mut SqliteConnection) -> bool {
        // What was asked for before, a rollback too, is done before it answers.
        !self.failed.is_recent() && answers(connection).await && !connection.is_in_transaction()
    }
}

async fn answers<C: Connection>(connection: &mut C) -> bool {
    tokio::time::timeout(PROOF, connection.ping()).await.is_ok_and(|answer| answer.is_ok())
}

/// Notes that work was left before its end, unless it has ended.
struct Unit<'a> {
    doubts: &'a Doubts,
    ended: bool,
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.doubts.cancelled.note();
        }
    }
}

impl Pool {
    /// Opens at most `max_connections` to the database at `url`; a missing SQLite file is created.
    ///
    /// # Errors
    /// The database's, when it cannot be reached.
    pub async fn open(url: &SecretString, max_connections: u32) -> Result<Self, DbErr> {
        let sqlite = url.expose_secret().starts_with("sqlite");
        let doubts = Arc::new(Doubts::default());
        let mut options = database::options(url, max_connections);
        let seen = Arc::clone(&doubts);
        options.map_sqlx_postgres_pool_opts(move |pool| watched(pool, &seen));
        let seen = Arc::clone(&doubts);
        options.map_sqlx_mysql_pool_opts(move |pool| watched(database::limited(pool), &seen));
        let seen = Arc::clone(&doubts);
        options.map_sqlx_sqlite_pool_opts(move |pool| watched_sqlite(pool, &seen));
        Ok(Self {
            db: database::open(options).await?,
            bound: if sqlite { SQLITE_BOUND } else { NETWORK_BOUND },
            writer: sqlite.then(|| Semaphore::new(1)),
            counters: Semaphore::new(if sqlite { 1 } else { (max_connections as usize / 2).max(1) }),
            doubts,
            metrics: Arc::default(),
        })
    }

    /// The same pool, which counts its errors here.
    #[must_use]
    pub fn observed_by(self, metrics: &Arc<Metrics>) -> Self {
        Self { metrics: Arc::clone(metrics), ..self }
    }

    /// How many connections are open, and how many of these wait for work.
    pub(super) fn open_and_idle(&self) -> (usize, usize) {
        let (open, idle) = match self.db.get_database_backend() {
            DatabaseBackend::Sqlite => counted(self.db.get_sqlite_connection_pool()),
            DatabaseBackend::Postgres => counted(self.db.get_postgres_connection_pool()),
            _ => counted(self.db.get_mysql_connection_pool()),
        };
        (open as usize, idle.min(open as usize))
    }

    /// Counts an error.
    pub(super) fn note(&self, error: &DbErr) {
        self.metrics.record_database_error(if is_conflict(error) {
            DatabaseError::Conflict
        } else if is_unavailable(error) {
            DatabaseError::Unavailable
        } else {
            DatabaseError::Other
        });
    }

    /// Closes all connections; what uses the pool from now on finds the database unavailable.
    ///
    /// # Errors
    /// The database's.
    pub async fn close(&self) -> Result<(), DbErr> {
        self.db.clone().close().await
    }

    /// The connections themselves, for work that is bounded as a whole.
    pub(super) const fn connections(&self) -> &DatabaseConnection {
        &self.db
    }

    /// This writer's turn, where there is one at a time.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        match &self.writer {
            Some(writer) => writer.acquire().await.ok(),
            None => None,
        }
    }

    /// The turn of one who counts a try.
    ///
    /// # Errors
    /// [`DbErr::Conn`] when it would leave the request too little time for the work.
    pub(super) async fn turn_to_count(&self) -> Result<SemaphorePermit<'_>, DbErr> {
        let turn = self.in_time(KEPT, self.counters.acquire()).await?;
        turn.map_err(|closed| DbErr::Conn(RuntimeErr::Internal(closed.to_string())))
    }

    /// Closes the connections that are given back now: what has just failed may fail on them only.
    pub(super) fn distrust(&self) {
        self.doubts.failed.note();
    }

    /// Runs a unit of work, or leaves it when its time is over. A write that is left may have been done or not.
    pub(super) async fn bounded<T>(&self, work: impl Future<Output = T>) -> Result<T, DbErr> {
        // Declared before the work, so that it is noted before the work gives its connection back.
        let mut unit = Unit { doubts: &self.doubts, ended: false };
        let work = std::pin::pin!(work);
        let outcome = self.in_time(Duration::ZERO, work).await;
        unit.ended = outcome.is_ok();
        if outcome.is_err() {
            self.distrust();
        }
        outcome
    }

    /// Runs one statement as a unit of work.
    async fn statement<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let outcome = self.bounded(work).instrument(tracing::debug_span!("query")).await.flatten();
        outcome.inspect_err(|error| self.note(error))
    }

    /// Waits as long as the request may still wait for the database, but for what is to be kept of that.
    async fn in_time<T>(&self, kept: Duration, work: impl Future<Output = T>) -> Result<T, DbErr> {
        let begun = Instant::now();
        let left = WAITED.try_with(|waited| self.bound.saturating_sub(waited.get())).unwrap_or(self.bound);
        let left = left.saturating_sub(kept);
        let outcome = tokio::time::timeout(left, work).await;
        // Outside a request nobody waits.
        let _ = WAITED.try_with(|waited| waited.set(waited.get().saturating_add(begun.elapsed())));
        outcome.map_err(|_| {
            let reason = format!("the database did not answer within {} ms", left.as_millis());
            DbErr::Conn(RuntimeErr::Internal(reason))
        })
    }
}

/// How many connections a pool has open, and how many of these are idle.
fn counted<D: sqlx::Database>(pool: &sqlx::Pool<D>) -> (u32, usize) {
    (pool.size(), pool.num_idle())
}

/// Looks at each connection that is given back.
fn watched<D: sqlx::Database>(pool: PoolOptions<D>, doubts: &Arc<Doubts>) -> PoolOptions<D> {
    let doubts = Arc::clone(doubts);
    pool.after_release(move |connection, _| {
        let doubts = Arc::clone(&doubts);
        Box::pin(async move { Ok(doubts.spare(connection).await) })
    })
}

fn watched_sqlite(pool: PoolOptions<Sqlite>, doubts: &Arc<Doubts>) -> PoolOptions<Sqlite> {
    let doubts = Arc::clone(doubts);
    pool.after_release(move |connection, _| {
        let doubts = Arc::clone(&doubts);
        Box::pin(async move { Ok(doubts.spare_sqlite(connection).await) })
    })
}

/// Each statement outside a transaction is a unit of work.
#[async_trait]
impl ConnectionTrait for Pool {
    fn get_database_backend(&self) -> DatabaseBackend {
        self.db.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.statement(self.db.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.statement(self.db.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.statement(self.db.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.statement(self.db.query_all_raw(statement)).await
    }
}
