//! Transactions that write: one kind for all, repeated when nothing but other writers stood in the way.

use std::{error::Error, sync::Arc, time::Duration};

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, RuntimeErr, SqliteTransactionMode, SqlxMySqlError,
    SqlxPostgresError, SqlxSqliteError, TransactionOptions, TransactionTrait,
};
use tokio::time::Instant;

use super::fault::{Doing as _, Fault};

/// How often a transaction is tried at most, the first time included.
const TRIES: u32 = 6;
/// How long after the first try a new one may still begin. SQLite has waited longer when it says that it is busy.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause before the second try; each later one is twice as long.
const PAUSE: Duration = Duration::from_millis(10);

/// SQLite's primary result codes for a file or a table that another connection holds.
const SQLITE_BUSY: [i32; 2] = [5, 6];
/// PostgreSQL's SQLSTATEs for a serialization failure and a deadlock.
const POSTGRES_CONFLICT: [&str; 2] = ["40001", "40P01"];
/// The error numbers of MySQL and MariaDB for a row that changed under a snapshot, a lock that was not to be had in
/// time, and a deadlock; Galera reports a failed certification as a deadlock too.
const MYSQL_CONFLICT: [u16; 3] = [1020, 1205, 1213];

/// Runs `work` in a transaction and commits it. When the database undid all of it because another writer was in the
/// way, it is run again, so `work` must have no effect outside the transaction.
///
/// # Errors
/// Those of `work`, after which nothing has changed. The database's, for which `doing` says what was being done.
pub(crate) async fn write<T, E, W>(
    db: &DatabaseConnection,
    doing: &'static str,
    work: impl Fn(Arc<DatabaseTransaction>) -> W,
) -> Result<T, E>
where
    E: Error + From<Fault> + 'static,
    W: Future<Output = Result<T, E>>,
{
    let begun = Instant::now();
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match once(db, doing, &work).await {
            Err(error) if met_conflict(&error) && begun.elapsed() < PATIENCE => {
                tracing::debug!(doing, %error, "another writer was in the way");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            outcome => return outcome,
        }
    }
    once(db, doing, &work).await
}

async fn once<T, E: From<Fault>, W: Future<Output = Result<T, E>>>(
    db: &DatabaseConnection,
    doing: &'static str,
    work: &impl Fn(Arc<DatabaseTransaction>) -> W,
) -> Result<T, E> {
    let transaction = Arc::new(begin_write(db).await.doing(doing)?);
    let value = work(Arc::clone(&transaction)).await?;
    let whole =
        Arc::into_inner(transaction).ok_or_else(|| Fault::internal(doing, "the transaction is still in use"))?;
    whole.commit().await.doing(doing)?;
    Ok(value)
}

/// Begins a transaction that will write. On SQLite it takes the write lock at once: one that reads first and writes
/// later would fail without waiting when another writer was faster.
pub(super) async fn begin_write(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    db.begin_with_options(TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    })
    .await
}

fn met_conflict(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref().is_some_and(is_conflict) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether the database refused, and undid the transaction, only because of what others were doing at the same time.
pub(super) fn is_conflict(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(cause))
    | DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return false;
    };
    let Some(cause) = cause.as_database_error() else { return false };
    if let Some(cause) = cause.try_downcast_ref::<SqlxPostgresError>() {
        POSTGRES_CONFLICT.contains(&cause.code())
    } else if let Some(cause) = cause.try_downcast_ref::<SqlxMySqlError>() {
        MYSQL_CONFLICT.contains(&cause.number())
    } else if cause.try_downcast_ref::<SqlxSqliteError>().is_some() {
        let code = cause.code().and_then(|code| code.parse::<i32>().ok());
        code.is_some_and(|code| SQLITE_BUSY.contains(&(code & 0xff)))
    } else {
        false
    }
}
