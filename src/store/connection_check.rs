//! Checks of connections that return to the pool.
//!
//! A connection can return in a state that sqlx does not detect. It would fail the next request or, on SQLite, keep the
//! write lock. Each check names the scenarios of `tests/it/chaos` that require it. `tests/it/pool.rs` tests them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Connection, Sqlite, SqliteConnection, pool::PoolOptions};

/// How long after a failure or a cancellation returned connections are checked.
const SUSPICION: Duration = Duration::from_secs(1);
/// How long a connection may take to respond to a ping.
const PING_TIMEOUT: Duration = Duration::from_millis(500);

/// Decides whether a returned connection may be used again.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionCheck(Arc<Suspicions>);

#[derive(Debug, Default)]
struct Suspicions {
    /// When work last missed its deadline or failed because the database was unavailable.
    failure: Mutex<Option<Instant>>,
    /// When a caller last abandoned its work.
    cancellation: Mutex<Option<Instant>>,
}

impl ConnectionCheck {
    /// Closes the connections that return within the next second.
    pub(super) fn record_failure(&self) {
        record(&self.0.failure);
    }

    /// Pings the connections that return within the next second.
    pub(super) fn record_cancellation(&self) {
        record(&self.0.cancellation);
    }

    /// Checks each connection that returns to the pool of a network database.
    pub(super) fn install<D: sqlx::Database>(&self, pool: PoolOptions<D>) -> PoolOptions<D> {
        let check = self.clone();
        pool.after_release(move |connection, _| {
            let check = check.clone();
            Box::pin(async move { Ok(check.may_reuse(connection).await) })
        })
    }

    /// Checks each connection that returns to the pool of an SQLite file.
    pub(super) fn install_on_sqlite(&self, pool: PoolOptions<Sqlite>) -> PoolOptions<Sqlite> {
        let check = self.clone();
        pool.after_release(move |connection, _| {
            let check = check.clone();
            Box::pin(async move { Ok(check.may_reuse_sqlite(connection).await) })
        })
    }

    /// Returns whether a connection may be used again.
    ///
    /// After a failure, all returning connections are closed, because it is unknown which of them failed. Required by a
    /// hung database (R4) and a database that became read-only (R8).
    ///
    /// After a cancellation, a connection must respond to a ping, because a response may still be in flight on it.
    /// Required by clients that disconnect before the response (R16).
    async fn may_reuse<C: Connection>(&self, connection: &mut C) -> bool {
        if is_recent(&self.0.failure) {
            return false;
        }
        !is_recent(&self.0.cancellation) || responds(connection).await
    }

    /// Returns whether an SQLite connection may be used again.
    ///
    /// If the disk is full, SQLite rolls a transaction back by itself, and sqlx does not notice. The next transaction
    /// would begin inside the old one and keep the write lock. Required by a full disk (R8).
    async fn may_reuse_sqlite(&self, connection: &mut SqliteConnection) -> bool {
        // The ping waits for earlier commands, including a rollback.
        !is_recent(&self.0.failure) && responds(connection).await && !connection.is_in_transaction()
    }
}

async fn responds<C: Connection>(connection: &mut C) -> bool {
    tokio::time::timeout(PING_TIMEOUT, connection.ping()).await.is_ok_and(|answer| answer.is_ok())
}

fn record(time: &Mutex<Option<Instant>>) {
    *time.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

fn is_recent(time: &Mutex<Option<Instant>>) -> bool {
    time.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|last| last.elapsed() < SUSPICION)
}
