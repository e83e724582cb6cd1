//! The guard around the work of a request: it ends in time, and a panic costs this request alone.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;

use crate::api::schema::{Problem, ProblemCode};

/// Runs a part of a request's work. Returns the problem `timed_out`, and drops the work, if it exceeds the limit.
pub(super) async fn with_timeout<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(Problem::new(ProblemCode::TimedOut)))
}

/// Runs a handler. Returns the problem `internal` if it panics; the panic hook has printed the panic.
pub(super) async fn catch_panic<T>(handler: impl Future<Output = T>) -> Result<T, Problem> {
    let outcome = AssertUnwindSafe(handler).catch_unwind().await;
    outcome.map_err(|_| Problem::new(ProblemCode::Internal).with_cause("the handler panicked"))
}
