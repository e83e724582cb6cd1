//! Synchronization of the service's clock with the reference clock.

use crate::{
    clock::{Clock, ClockOffset},
    domain::app::App,
    error::ServiceError,
    store::{Pool, synchronize_clock},
};

/// Sets the clock for the first time. Warns if the host's clock differs from the reference clock.
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

/// Sets the clock again. Returns by how much the reference clock has stepped, if it has. Logs and counts the step.
///
/// # Errors
/// Those of the database. The clock then runs on by itself.
pub async fn sync_clock(app: &App) -> Result<Option<ClockOffset>, ServiceError> {
    let step = synchronize_clock(&app.db, &app.clock).await?;
    if let Some(step) = step {
        app.clock.record_step();
        app.metrics.record_clock_step();
        tracing::warn!(
            "the reference clock stepped {step}, and this instance follows; rate limits, lockouts and sessions may end \
             early or late by as much"
        );
    }
    Ok(step)
}
