//! The first synchronization of the clock, at start.

use crate::{
    clock::{Clock, ClockOffset},
    error::ServiceError,
    store::{Pool, synchronize_clock},
};

/// Sets the clock for the first time. Warns if the host's clock is wrong.
///
/// # Errors
/// The database's.
pub async fn start_clock(db: &Pool, clock: &Clock) -> Result<(), ServiceError> {
    synchronize_clock(db, clock).await?;

    let error = ClockOffset::between(clock.now(), clock.host_time());
    if error.is_step() {
        tracing::warn!(
            "this host's clock would have to be set {error} to agree with the database's, which the service uses; \
             correct the one that is wrong, and keep both synchronized by NTP"
        );
    }
    Ok(())
}
