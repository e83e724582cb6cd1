//! Background jobs.

mod cleanup;
mod clock_sync;
mod file_watch;
mod scheduler;

pub use self::{
    cleanup::{Deleted, run_cleanup},
    clock_sync::{start_clock, sync_clock},
    scheduler::run,
};
