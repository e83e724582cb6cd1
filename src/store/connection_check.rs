//! Closes connections that may be broken, and old ones, instead of returning them to the pool.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Database, pool::PoolOptions};

/// How long after a failure returned connections are closed.
const SUSPICION: Duration = Duration::from_secs(1);

/// The maximum age of a connection. A replacement connects to the current host of the database, and frees the memory of
/// the old connection.
const MAX_AGE: Duration = Duration::from_mins(30);
/// How long a connection may be idle before it is replaced. A firewall may have forgotten it, and a ping would wait for
/// a response in vain.
const MAX_IDLE: Duration = Duration::from_mins(10);

/// Decides whether a returned connection may be used again.
///
/// After a failure, all connections that return within a second are closed, because it is unknown which of them failed.
/// sqlx itself checks only that a connection responds. `tests/it/pool.rs` tests both cases:
///
/// - A full disk (R8). SQLite rolls the transaction back by itself, and sqlx does not notice. The next transaction
///   would begin inside the old one and keep the write lock.
/// - A late response. The connection would be reused while the database still works on the abandoned statement.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionCheck(Arc<Mutex<Option<Instant>>>);

impl ConnectionCheck {
    /// Records that work missed its deadline, or found the database unavailable.
    pub(super) fn record_failure(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Checks each connection that returns to the pool or leaves it.
    pub(super) fn install<D: Database>(&self, pool: PoolOptions<D>) -> PoolOptions<D> {
        let check = self.clone();
        pool.after_release(move |_, connection| {
            let reuse = connection.age < MAX_AGE && !check.has_failed_recently();
            Box::pin(async move { Ok(reuse) })
        })
        .before_acquire(|_, connection| Box::pin(async move { Ok(connection.idle_for < MAX_IDLE) }))
    }

    fn has_failed_recently(&self) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last.elapsed() < SUSPICION)
    }
}
