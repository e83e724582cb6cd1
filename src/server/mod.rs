//! The HTTP server: listeners, connections and the middleware around the routes. It knows problems, but no operation.
//!
//! `listener` accepts a connection and `connection` serves it. Each request passes `middleware::pipeline`, which
//! defines the order of the steps, and reaches the routes that `startup` provides. `framing` and `deadlines` protect
//! connections against two kinds of attack; the other modules can be understood without them.

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
