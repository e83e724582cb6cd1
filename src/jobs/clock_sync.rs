//! The job that synchronizes the service's clock with the reference clock.

use crate::{
    clock::{Clock, ClockOffset},
    domain::app::App,
    error::ServiceError,
    store::{Pool, synchronize_clock},
};

/// Sets the clock for the first time. Logs a warning if the host's clock differs from the reference clock.
pub async fn start_clock(db: &Pool, clock: &Clock) -> Result<(), ServiceError> {
    synchronize_clock(db, clock).await?;

    let error = ClockOffset::between(clock.now(), clock.host_time());
    if error.is_step() {
        tracing::warn!(
            "this host's clock would have to be set {error} to match the database's clock, which the service uses; \
             correct the clock that is wrong, and keep both synchronized by NTP"
        );
    }
    Ok(())
}

/// Synchronizes the clock. If the reference clock has stepped, logs and counts the step and returns its size.
///
/// # Errors
/// Returns a [`ServiceError`] if the database fails. The clock then keeps running by itself.
pub async fn sync_clock(app: &App) -> Result<Option<ClockOffset>, ServiceError> {
    let step = synchronize_clock(&app.db, &app.clock).await?;
    if let Some(step) = step {
        app.clock.record_step();
        app.metrics.record_clock_step();
        tracing::warn!(
            "the reference clock stepped {step}, and this instance follows it; rate limits, lockouts and sessions may \
             end early or late by the same amount. If the step was not intended, check NTP on the database host"
        );
    }
    Ok(step)
}
