//! The HTTP server: listeners, connections and the middleware around the routes. It knows nothing of users.
//!
//! A connection is accepted by `listener` and served by `connection`. Each of its requests passes
//! `middleware::pipeline`, which names the steps in their order, and reaches the routes that `startup` hands over.
//! `framing` and `deadlines` protect connections against two kinds of attack; the rest can be read without them.

mod connection;
mod cors;
mod deadlines;
mod forwarded;
mod framing;
#[cfg(fuzzing)]
pub mod fuzzing;
mod listener;
mod log_throttle;
mod metrics_endpoint;
mod middleware;
mod observed_stream;
mod route_table;
mod tls;

pub use self::connection::SharedEndpoint;
pub use self::deadlines::DeadlineSettings;
pub use self::listener::{BindError, ServerSettings, Shutdown, bind, serve};
pub use self::metrics_endpoint::metrics_endpoint;
pub use self::middleware::{MiddlewareSettings, wrap_routes};
pub use self::route_table::{Route, RouteTable};
pub use self::tls::{Tls, TlsError, TlsFiles};
