//! Access to the database: connections, transactions, retries, error classification and migrations.
//!
//! It is independent of the tables. Rows and their queries are in [`crate::entity`].

mod address;
mod connect;
mod connect_error;
mod connection_check;
mod deadline;
mod delete;
mod error;
mod migrate;
mod pool;
mod retry;
mod shared_session;
mod sql;
mod sqlite_file;
mod time;
mod transaction;

pub use self::{
    address::DatabaseAddress,
    connect::connect,
    connect_error::{connect_advice, is_permanent},
    deadline::with_request_budget,
    delete::{DELETE_BATCH, delete_in_batches},
    error::{
        Context, DatabaseError, POOLER_ADVICE, is_conflict, is_shared_session, is_unavailable, is_unique_violation,
    },
    migrate::{MigrateError, is_current, migrate},
    pool::Pool,
    retry::{RetryPolicy, retry},
    shared_session::shares_sessions,
    sqlite_file::{COMPANIONS, checkpoint, companion, copy_database, find_damage, sqlite_url},
    time::synchronize_clock,
    transaction::{Transaction, write},
};
