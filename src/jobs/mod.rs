//! Background jobs, beside the requests.

mod cleanup;
mod clock_start;
mod scheduler;

pub use self::{
    cleanup::{Deleted, run_cleanup},
    clock_start::start_clock,
    scheduler::run,
};
