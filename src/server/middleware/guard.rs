//! The guard around the work of a request: it ends in time, and a panic costs this request alone.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use poem::{Request, Response, endpoint::BoxEndpoint};

use crate::api::problem::{self, Problem, ProblemCode};

/// Runs a part of a request's work. Returns the problem `timed_out`, and drops the work, if it exceeds the limit.
pub(super) async fn with_timeout<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(Problem::new(ProblemCode::TimedOut)))
}

/// Calls the routes. Errors and panics of handlers, and paths and methods that do not exist, become problems.
pub(super) async fn call_routes(routes: &BoxEndpoint<'static>, request: Request) -> Result<Response, Problem> {
    match AssertUnwindSafe(poem::Endpoint::call(routes, request)).catch_unwind().await {
        Ok(outcome) => outcome.map_err(problem::of),
        Err(_) => Err(Problem::new(ProblemCode::Internal).caused_by("the handler panicked")),
    }
}
