//! Deadlines of connections, against clients that exhaust connections by holding them open (slowloris).
//!
//! Such a client sends its request byte by byte, stays silent after it has connected, or does not read the response.
//! hyper limits none of these for HTTP/2, and hyper-util limits none of them until it knows the protocol (hyper #3962).
//! This module therefore times the bytes themselves. The middleware limits the time of the request body and the
//! handler.
//!
//! The interface: `ConnectionDeadlines::enforce` runs a connection and closes it at a deadline. The connection reports
//! its reads and writes with the `note_…` methods, and each request with a `TimedRequest`.

mod connection_deadlines;
mod timed_request;

pub use self::connection_deadlines::DeadlineSettings;
pub(super) use self::{
    connection_deadlines::ConnectionDeadlines,
    timed_request::{TimedBody, TimedRequest},
};
