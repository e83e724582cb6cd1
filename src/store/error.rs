//! Classification of database errors: conflicts, which a retry resolves, and errors of an unavailable database.

use std::{error::Error, iter};

use sea_orm::{DbErr, RuntimeErr, SqlErr, SqlxMySqlError, SqlxPostgresError, SqlxSqliteError};

use crate::error::ServiceError;

/// SQLite result codes: `SQLITE_BUSY` and `SQLITE_LOCKED`.
const SQLITE_CONFLICT: [i32; 2] = [5, 6];
/// SQLite result codes: read-only, I/O error, full, cannot open.
const SQLITE_UNAVAILABLE: [i32; 4] = [8, 10, 13, 14];
/// PostgreSQL SQLSTATEs: serialization failure, deadlock, lock timeout.
const POSTGRES_CONFLICT: [&str; 3] = ["40001", "40P01", "55P03"];
/// PostgreSQL SQLSTATEs: read-only; no disk space, memory or connection left; statement timeout; server is stopping,
/// has stopped or is not ready.
const POSTGRES_UNAVAILABLE: [&str; 9] =
    ["25006", "53100", "53200", "53300", "57014", "57P01", "57P02", "57P03", "57P05"];
/// PostgreSQL SQLSTATEs: a prepared statement does not exist, or exists already. The service never causes them itself.
const POSTGRES_SHARED_SESSION: [&str; 2] = ["26000", "42P05"];
/// PostgreSQL's SQLSTATE of a protocol violation. One of its causes is a prepared statement of another connection, which
/// has another number of parameters.
const PROTOCOL_VIOLATION: &str = "08P01";
/// MySQL and MariaDB error numbers: row changed under a snapshot, lock timeout, deadlock. Galera reports a failed
/// certification as a deadlock.
const MYSQL_CONFLICT: [u16; 3] = [1020, 1205, 1213];
/// MySQL and MariaDB error numbers: unwritable file, full disk, full table, too many connections, node that left its
/// cluster, shutdown, read-only server or transaction, interrupted or timed-out statement, killed connection.
const MYSQL_UNAVAILABLE: [u16; 13] = [3, 1021, 1026, 1040, 1047, 1053, 1114, 1290, 1317, 1792, 1836, 1927, 1969];

/// What an operator must do about a pooler that shares sessions.
pub const POOLER_ADVICE: &str = "a connection pooler between Vestibule and PostgreSQL (such as PgBouncer) gives each \
                                 transaction another session; set pool_mode = session for this database in the \
                                 pooler, or connect to PostgreSQL directly";

/// An error of the database or its driver.
pub type DatabaseError = DbErr;

/// Adds context to a database error: what the service was doing.
pub trait Context<T> {
    /// Converts the error into [`ServiceError::Unavailable`] or [`ServiceError::Internal`].
    ///
    /// # Errors
    /// Returns the same error, classified.
    fn context(self, context: &'static str) -> Result<T, ServiceError>;
}

impl<T> Context<T> for Result<T, DbErr> {
    fn context(self, context: &'static str) -> Result<T, ServiceError> {
        self.map_err(|error| {
            if is_unavailable(&error) || is_conflict(&error) {
                ServiceError::Unavailable { context, source: explain(error) }
            } else {
                ServiceError::internal(context, error)
            }
        })
    }
}

/// Adds what to do to an error whose own text does not say it.
fn explain(error: DbErr) -> Box<dyn Error + Send + Sync> {
    if is_shared_session(&error) { SharedSession(error).into() } else { error.into() }
}

/// A pooler was switched to another mode while the service was running.
#[derive(Debug, thiserror::Error)]
#[error("{POOLER_ADVICE}")]
struct SharedSession(#[source] DbErr);

/// Returns whether a unique constraint prevented the write.
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Returns whether the database rolled the transaction back because of concurrent transactions.
pub fn is_conflict(error: &DbErr) -> bool {
    match ErrorCode::of(error) {
        Some(ErrorCode::Postgres(state)) => POSTGRES_CONFLICT.contains(&state),
        Some(ErrorCode::MySql(number)) => MYSQL_CONFLICT.contains(&number),
        Some(ErrorCode::Sqlite(code)) => SQLITE_CONFLICT.contains(&(code & 0xff)),
        None => false,
    }
}

/// Returns whether a pooler gave the connection a session that another connection has used.
pub fn is_shared_session(error: &DbErr) -> bool {
    match ErrorCode::of(error) {
        Some(ErrorCode::Postgres(PROTOCOL_VIOLATION)) => error.to_string().contains("bind message supplies"),
        Some(ErrorCode::Postgres(state)) => POSTGRES_SHARED_SESSION.contains(&state),
        _ => false,
    }
}

/// Returns whether the database is unreachable, broke the connection, or is full, read-only or overloaded, or a pooler
/// shares its sessions.
pub fn is_unavailable(error: &DbErr) -> bool {
    match ErrorCode::of(error) {
        Some(ErrorCode::Postgres(state)) => POSTGRES_UNAVAILABLE.contains(&state) || is_shared_session(error),
        Some(ErrorCode::MySql(number)) => MYSQL_UNAVAILABLE.contains(&number),
        Some(ErrorCode::Sqlite(code)) => SQLITE_UNAVAILABLE.contains(&(code & 0xff)),
        None => is_connection_error(error),
    }
}

fn is_connection_error(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
            matches!(**cause, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)
        }
        _ => false,
    }
}

/// Returns the database error that caused `error`, if any.
pub(super) fn database_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a DbErr> {
    iter::successors(Some(error), |cause| (*cause).source()).find_map(|cause| cause.downcast_ref())
}

/// The code with which a database rejected a statement.
pub(super) enum ErrorCode<'a> {
    /// The SQLSTATE.
    Postgres(&'a str),
    /// The error number.
    MySql(u16),
    /// The extended result code.
    Sqlite(i32),
}

impl<'a> ErrorCode<'a> {
    pub(super) fn of(error: &'a DbErr) -> Option<Self> {
        let (DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
        else {
            return None;
        };

        let cause = cause.as_database_error()?;
        if let Some(cause) = cause.try_downcast_ref::<SqlxPostgresError>() {
            Some(Self::Postgres(cause.code()))
        } else if let Some(cause) = cause.try_downcast_ref::<SqlxMySqlError>() {
            Some(Self::MySql(cause.number()))
        } else {
            cause.try_downcast_ref::<SqlxSqliteError>()?;
            Some(Self::Sqlite(cause.code()?.parse().ok()?))
        }
    }
}
