//! Write transactions. All writes of the service go through [`write`], which retries deadlocks and other conflicts.
//! `error::is_conflict` defines which errors are conflicts.

use std::{error::Error, time::Duration};

use sea_orm::{
    DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _,
};
use tracing::Instrument as _;

use super::{
    error::{Context as _, database_error, is_conflict, is_unavailable},
    pool::Pool,
    retry::{RetryPolicy, retry},
};
use crate::error::ServiceError;

/// The maximum number of retries after a conflict.
const MAX_RETRIES: usize = 5;
/// The retries after a conflict. SQLite reports a conflict only after its busy timeout, so no retry begins after two
/// seconds.
const CONFLICT_RETRY: RetryPolicy = RetryPolicy {
    first_delay: Duration::from_millis(5),
    max_delay: Duration::from_millis(160),
    max_retries: Some(MAX_RETRIES),
    give_up_after: Duration::from_secs(2),
};

/// A transaction that writes.
pub type Transaction = DatabaseTransaction;

/// The work of a transaction: an `async` closure that borrows the transaction and whatever else it needs.
///
/// The trait exists because the future must be `Send`, which `AsyncFn` cannot express yet.
pub trait Work<'t, T, E>: Fn(&'t Transaction) -> Self::Future + Sync {
    /// The future of one attempt.
    type Future: Future<Output = Result<T, E>> + Send;
}

impl<'t, T, E, F, Fut> Work<'t, T, E> for F
where
    F: Fn(&'t Transaction) -> Fut + Sync,
    Fut: Future<Output = Result<T, E>> + Send,
{
    type Future = Fut;
}

/// Runs `work` in a transaction and commits it. If the database rolled it back because of concurrent transactions,
/// `work` runs again, so it must have no effect outside the transaction.
///
/// `context` names the work in errors and traces.
///
/// # Errors
/// Returns the error of `work`; then nothing has changed. Returns a [`ServiceError`] if the database fails.
pub async fn write<T, E, W>(db: &Pool, context: &'static str, work: W) -> Result<T, E>
where
    E: Error + From<ServiceError> + 'static,
    W: for<'t> Work<'t, T, E>,
{
    let span = tracing::debug_span!("transaction", context);
    let outcome = db.with_deadline(write_with_retry(db, context, &work)).instrument(span).await;
    let outcome = outcome.inspect_err(|late| db.record_error(late)).context(context)?;

    if outcome.as_ref().is_err_and(|error| is_caused_by(error, is_unavailable)) {
        db.record_failure();
    }
    outcome
}

async fn write_with_retry<T, E, W>(db: &Pool, context: &'static str, work: &W) -> Result<T, E>
where
    E: Error + From<ServiceError> + 'static,
    W: for<'t> Work<'t, T, E>,
{
    let attempt = || async {
        let outcome = write_once(db, context, work).await;
        if let Err(error) = &outcome
            && let Some(error) = database_error(error)
        {
            db.record_error(error);
        }
        outcome
    };
    let is_conflict = |error: &E| is_caused_by(error, is_conflict);

    retry(CONFLICT_RETRY, attempt, is_conflict, |error, delay| {
        tracing::debug!(context, %error, ?delay, "retrying a transaction after a conflict");
    })
    .await
}

async fn write_once<T, E, W>(db: &Pool, context: &'static str, work: &W) -> Result<T, E>
where
    E: From<ServiceError>,
    W: for<'t> Work<'t, T, E>,
{
    let _writer = db.acquire_writer().await;
    let transaction = begin_write(db.connections()).await.context(context)?;
    let value = work(&transaction).await?;
    transaction.commit().await.context(context)?;
    Ok(value)
}

/// Begins a transaction that will write.
///
/// On SQLite, it takes the write lock at once: a transaction that reads first and writes later fails without waiting if
/// another transaction wrote in between. On PostgreSQL, it sets the isolation level to `READ COMMITTED`, whatever the
/// default of the database: after waiting for a lock, the transaction must see the writes of the lock's previous owner.
pub(super) async fn begin_write(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let postgres = db.get_database_backend() == DatabaseBackend::Postgres;
    db.begin_with_options(TransactionOptions {
        isolation_level: postgres.then_some(IsolationLevel::ReadCommitted),
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    })
    .await
}

fn is_caused_by(error: &(dyn Error + 'static), kind: fn(&DbErr) -> bool) -> bool {
    database_error(error).is_some_and(kind)
}
