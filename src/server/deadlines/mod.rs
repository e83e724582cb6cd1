//! Deadlines of a connection, against clients that hold connections open to use them up (slowloris).
//!
//! Such a client sends its request byte by byte, opens a connection and stays silent, or does not read the response.
//! hyper limits none of these for HTTP/2, and hyper-util none before it knows the protocol (hyper #3962), so the bytes
//! themselves are timed here. The middleware limits the time of a request's body and handler.
//!
//! The interface: `ConnectionDeadlines::enforce` runs a connection and ends it at a deadline. The connection reports
//! its reads and writes by the `note_…` methods, and each request by a `TimedRequest`.

mod connection_deadlines;
mod timed_request;

pub use self::connection_deadlines::DeadlineSettings;
pub(super) use self::{
    connection_deadlines::ConnectionDeadlines,
    timed_request::{TimedBody, TimedRequest},
};
