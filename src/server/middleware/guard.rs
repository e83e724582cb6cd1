//! Guards around the work of a request: a timeout, and isolation of panics.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;

use crate::api::schema::{Problem, ProblemCode};

/// Runs part of the work of a request. If it exceeds the limit, drops it and returns the problem `timed_out`.
pub(super) async fn with_timeout<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(Problem::new(ProblemCode::TimedOut)))
}

/// Runs a handler. If it panics, returns the problem `internal`; the panic hook has printed the panic.
pub(super) async fn catch_panic<T>(handler: impl Future<Output = T>) -> Result<T, Problem> {
    let outcome = AssertUnwindSafe(handler).catch_unwind().await;
    outcome.map_err(|_| Problem::new(ProblemCode::Internal).with_cause("the handler panicked"))
}
