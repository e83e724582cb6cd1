//! Detection of connection poolers that share one database session between connections: PgBouncer and others in
//! transaction or statement mode.
//!
//! Prepared statements, time limits and the migration lock belong to a session, so the service needs one session for
//! each connection.

use std::time::Duration;

use sea_orm::{ConnectOptions, DatabaseConnection, DbErr};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::{
    connect::{connect_options, open, without_float_digits},
    error::is_shared_session,
    sql,
};

/// How long the check may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How many times the check is repeated. Poolers reuse sessions in different orders, and other clients may use
/// the same sessions.
const ROUNDS: usize = 4;

/// Returns whether a pooler gives the connections to `url` a different session for each transaction. Without such a
/// pooler, it is never true.
///
/// # Errors
/// Returns a [`DbErr`] if the database is unreachable.
pub async fn shares_sessions(url: &SecretString) -> Result<bool, DbErr> {
    if !url.expose_secret().starts_with("postgres") {
        return Ok(false);
    }
    let first = open(options(url)).await?;
    // If there is no second session, the connections cannot share one. A pooler that shares sessions would also respond
    // at once.
    let exchange = async {
        let second = open(options(url)).await?;
        let shared = is_mark_lost(&first, &second).await;
        second.close().await?;
        shared
    };
    match tokio::time::timeout(TIMEOUT, exchange).await {
        Ok(Err(error)) if is_shared_session(&error) => Ok(true),
        Ok(Ok(shared)) => first.close().await.map(|()| shared),
        Ok(Err(_)) | Err(_) => Ok(false),
    }
}

/// Returns options without time limits, which would stay in a shared session, and without named prepared statements,
/// which some poolers support although they share sessions.
fn options(url: &SecretString) -> ConnectOptions {
    let mut options = connect_options(url, 1);
    options.map_sqlx_postgres_opts(|postgres| without_float_digits(postgres).statement_cache_capacity(0));
    options
}

/// Marks the session of each connection. Returns whether a connection does not find its own mark again.
async fn is_mark_lost(first: &DatabaseConnection, second: &DatabaseConnection) -> Result<bool, DbErr> {
    for _ in 0..ROUNDS {
        let connections = [(first, Uuid::new_v4()), (second, Uuid::new_v4())];
        for (connection, mark) in connections {
            sql::mark_postgres_session(connection, mark).await?;
        }
        for (connection, mark) in connections {
            // Twice, because a pooler that uses two sessions in turn would give each connection its own again.
            let found =
                sql::has_postgres_mark(connection, mark).await? && sql::has_postgres_mark(connection, mark).await?;
            if !found {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
