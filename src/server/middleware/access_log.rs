//! The access log: one line for each request, written when its response begins. The request's span adds the operation,
//! the request identifier, the client IP and the user.

use std::time::Duration;

use poem::http::StatusCode;
use tracing::Level;

use super::trace_context;
use crate::api::schema::{Problem, ProblemCode};

/// Logs that a request has arrived.
pub(super) fn log_start() {
    tracing::debug!("request started");
}

/// Records the outcome of a request in its trace only.
pub(super) fn record_completion(status: StatusCode, error_type: Option<&'static str>) {
    trace_context::record_response(status, error_type);
}

/// Logs the outcome of a request. `error.type` is the problem code. The cause is for the operator only: the client gets
/// the request identifier, with which the operator finds this line.
pub(super) fn log_completion(status: StatusCode, duration: Duration, problem: Option<&Problem>) {
    let error_type = problem.map(|problem| problem.code().as_str());
    let cause = problem.and_then(Problem::cause);
    record_completion(status, error_type);

    /// `tracing` fixes the level of an event at compile time, so each level needs its own event.
    macro_rules! log {
        ($level:expr) => {
            tracing::event!(
                $level,
                http.response.status_code = status.as_u16(),
                duration_ms = duration.as_secs_f64() * 1_000.0,
                error.type = error_type,
                cause,
                "request completed"
            )
        };
    }
    match problem.map(Problem::code) {
        Some(ProblemCode::Internal) => log!(Level::ERROR),
        // Any client can cause this at any rate.
        Some(ProblemCode::BadFraming) => log!(Level::INFO),
        _ if cause.is_some() => log!(Level::WARN),
        _ => log!(Level::INFO),
    }
}
