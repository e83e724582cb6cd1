//! Transactions that write: one kind for all, repeated when nothing but other writers stood in the way.

use std::{error::Error, iter, sync::Arc, time::Duration};

use sea_orm::{
    DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel, RuntimeErr, SqliteTransactionMode,
    SqlxMySqlError, SqlxPostgresError, SqlxSqliteError, TransactionOptions, TransactionTrait,
};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    fault::{Doing as _, Fault},
    pool::Pool,
};

/// How often a transaction is tried at most, the first time included.
const TRIES: u32 = 6;
/// How long after the first try a new one may still begin. SQLite has waited longer when it says that it is busy.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause before the second try; each later one is twice as long.
const PAUSE: Duration = Duration::from_millis(10);

/// SQLite's primary result codes for a file or a table that another connection holds.
const SQLITE_BUSY: [i32; 2] = [5, 6];
/// PostgreSQL's SQLSTATEs for a serialization failure, a deadlock, and a lock that was not to be had in time.
const POSTGRES_CONFLICT: [&str; 3] = ["40001", "40P01", "55P03"];
/// SQLite's primary result codes for a file that cannot be written, read or opened now, or that has no room to grow.
const SQLITE_UNAVAILABLE: [i32; 4] = [8, 10, 13, 14];
/// PostgreSQL's SQLSTATEs for a server that is read-only, has no room, memory or connection left, a statement that took
/// too long, and a server that stops, has stopped or is not ready.
const POSTGRES_UNAVAILABLE: [&str; 9] =
    ["25006", "53100", "53200", "53300", "57014", "57P01", "57P02", "57P03", "57P05"];
/// The error numbers of MySQL and MariaDB for a row that changed under a snapshot, a lock that was not to be had in
/// time, and a deadlock; Galera reports a failed certification as a deadlock too.
const MYSQL_CONFLICT: [u16; 3] = [1020, 1205, 1213];
/// The error numbers of MySQL and MariaDB for a file that cannot be written, a full disk or table, too many connections,
/// a node that has left its cluster, a server that stops or is read-only, a statement that was interrupted or took too
/// long, a transaction that is read-only, and a connection that was killed.
const MYSQL_UNAVAILABLE: [u16; 13] = [3, 1021, 1026, 1040, 1047, 1053, 1114, 1290, 1317, 1792, 1836, 1927, 1969];

/// Runs `work` in a transaction and commits it. When the database undid all of it because another writer was in the
/// way, it is run again, so `work` must have no effect outside the transaction.
///
/// # Errors
/// Those of `work`, after which nothing has changed. The database's, for which `doing` says what was being done.
pub(crate) async fn write<T, E, W>(
    pool: &Pool,
    doing: &'static str,
    work: impl Fn(Arc<DatabaseTransaction>) -> W,
) -> Result<T, E>
where
    E: Error + From<Fault> + 'static,
    W: Future<Output = Result<T, E>>,
{
    let span = tracing::debug_span!("transaction", doing);
    let outcome = pool.bounded(repeated(pool, doing, &work)).instrument(span).await;
    let outcome = outcome.inspect_err(|late| pool.note(late)).doing(doing)?;
    if outcome.as_ref().is_err_and(|error| stems_from(error, is_unavailable)) {
        pool.distrust();
    }
    outcome
}

async fn repeated<T, E, W>(
    pool: &Pool,
    doing: &'static str,
    work: &impl Fn(Arc<DatabaseTransaction>) -> W,
) -> Result<T, E>
where
    E: Error + From<Fault> + 'static,
    W: Future<Output = Result<T, E>>,
{
    let begun = Instant::now();
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match noted(pool, once(pool, doing, work).await) {
            Err(error) if stems_from(&error, is_conflict) && begun.elapsed() < PATIENCE => {
                tracing::debug!(doing, %error, "another writer was in the way");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
            outcome => return outcome,
        }
    }
    noted(pool, once(pool, doing, work).await)
}

async fn once<T, E: From<Fault>, W: Future<Output = Result<T, E>>>(
    pool: &Pool,
    doing: &'static str,
    work: &impl Fn(Arc<DatabaseTransaction>) -> W,
) -> Result<T, E> {
    let _turn = pool.turn().await;
    let transaction = Arc::new(begin_write(pool.connections()).await.doing(doing)?);
    let value = work(Arc::clone(&transaction)).await?;
    let whole =
        Arc::into_inner(transaction).ok_or_else(|| Fault::internal(doing, "the transaction is still in use"))?;
    whole.commit().await.doing(doing)?;
    Ok(value)
}

/// Counts the database's error beneath what came of a try, if there is one.
fn noted<T, E: Error + 'static>(pool: &Pool, outcome: Result<T, E>) -> Result<T, E> {
    outcome.inspect_err(|error| {
        if let Some(error) = beneath(error) {
            pool.note(error);
        }
    })
}

/// Begins a transaction that will write. On SQLite it takes the write lock at once: one that reads first and writes
/// later would fail without waiting when another writer was faster. On PostgreSQL each statement sees what others have
/// committed before it, whatever the database's default is: what is read and deleted under a lock that was waited for
/// must include what the one before has written.
pub(super) async fn begin_write(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let postgres = db.get_database_backend() == DatabaseBackend::Postgres;
    db.begin_with_options(TransactionOptions {
        isolation_level: postgres.then_some(IsolationLevel::ReadCommitted),
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    })
    .await
}

/// The database's error beneath another one.
fn beneath<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a DbErr> {
    iter::successors(Some(error), |cause| (*cause).source()).find_map(|cause| cause.downcast_ref())
}

/// Whether the database's error beneath another one is of a kind.
fn stems_from(error: &(dyn Error + 'static), kind: fn(&DbErr) -> bool) -> bool {
    beneath(error).is_some_and(kind)
}

/// Whether the database refused, and undid the transaction, only because of what others were doing at the same time.
#[must_use]
pub fn is_conflict(error: &DbErr) -> bool {
    match refusal(error) {
        Some(Refusal::Postgres(code)) => POSTGRES_CONFLICT.contains(&code),
        Some(Refusal::MySql(number)) => MYSQL_CONFLICT.contains(&number),
        Some(Refusal::Sqlite(code)) => SQLITE_BUSY.contains(&(code & 0xff)),
        None => false,
    }
}

/// Whether the database could not be reached, went away, or had no time: a later try may be served.
#[must_use]
pub fn is_unavailable(error: &DbErr) -> bool {
    match refusal(error) {
        Some(Refusal::Postgres(code)) => POSTGRES_UNAVAILABLE.contains(&code),
        Some(Refusal::MySql(number)) => MYSQL_UNAVAILABLE.contains(&number),
        Some(Refusal::Sqlite(code)) => SQLITE_UNAVAILABLE.contains(&(code & 0xff)),
        None => match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
            DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
                matches!(**cause, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)
            }
            _ => false,
        },
    }
}

/// What a database said when it refused a statement.
enum Refusal<'a> {
    /// The SQLSTATE.
    Postgres(&'a str),
    /// The error's number.
    MySql(u16),
    /// The extended result code.
    Sqlite(i32),
}

fn refusal(error: &DbErr) -> Option<Refusal<'_>> {
    let (DbErr::Conn(RuntimeErr::SqlxError(cause))
    | DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return None;
    };
    let cause = cause.as_database_error()?;
    if let Some(cause) = cause.try_downcast_ref::<SqlxPostgresError>() {
        Some(Refusal::Postgres(cause.code()))
    } else if let Some(cause) = cause.try_downcast_ref::<SqlxMySqlError>() {
        Some(Refusal::MySql(cause.number()))
    } else {
        cause.try_downcast_ref::<SqlxSqliteError>()?;
        Some(Refusal::Sqlite(cause.code()?.parse().ok()?))
    }
}
