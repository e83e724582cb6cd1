//! The middleware around the routes, one file for each concern. `pipeline` defines the order of the steps.

mod access_log;
mod error_response;
mod guard;
mod head_limits;
mod pipeline;
mod request_body;
mod request_span;
mod response_headers;
mod trace_context;

pub use self::pipeline::{MiddlewareSettings, wrap_routes};
