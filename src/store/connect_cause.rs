//! The cause of a connection that a pool could not open. A pool retries refused connections, and then reports only that
//! the time is over.

use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr};
use sqlx::{ConnectOptions as _, Connection as _, mysql::MySqlConnectOptions, postgres::PgConnectOptions};

/// How long the attempt to find the cause may take.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Replaces the timeout of a pool with the error of a single connection, if that fails too.
pub(super) async fn explain_timeout(error: DbErr, url: &str) -> DbErr {
    let is_timeout = matches!(
        &error,
        DbErr::Conn(RuntimeErr::SqlxError(cause)) if matches!(**cause, sqlx::Error::PoolTimedOut)
    );
    if !is_timeout {
        return error;
    }
    match tokio::time::timeout(TIMEOUT, connect_once(url)).await {
        Ok(Err(cause)) => DbErr::Conn(RuntimeErr::SqlxError(cause.into())),
        Ok(Ok(())) | Err(_) => error,
    }
}

async fn connect_once(url: &str) -> Result<(), sqlx::Error> {
    if url.starts_with("postgres") {
        url.parse::<PgConnectOptions>()?.connect().await?.close().await
    } else if url.starts_with("mysql") {
        url.parse::<MySqlConnectOptions>()?.connect().await?.close().await
    } else {
        Ok(())
    }
}
