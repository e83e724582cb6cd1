//! Rows: one file a table, each with its model and its named queries.
//!
//! A query returns an unexecuted `Select`, so that the caller chooses the connection or transaction. `by_*` finds at
//! most one row, `*_of` many.

pub mod audit_event;
pub mod audit_head;
pub mod clock;
pub mod job;
pub mod known_device;
pub mod sealed_key;
pub mod session;
pub mod throttle;
pub mod user;

/// The identifier of the row of a table that has only one.
pub const ONLY: i32 = 1;
