//! Rows: one file per table, with its model and its named queries.
//!
//! A query returns an unexecuted statement, so that the caller chooses the connection or transaction. `by_*` selects at
//! most one row. Other queries are named after the rows that they select, or after their action. Plain inserts and
//! updates are in use cases.

pub mod audit_event;
pub mod audit_head;
pub mod job;
pub mod known_network;
pub mod rate_limit;
pub mod sealed_key;
pub mod session;
pub mod user;
