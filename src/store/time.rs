//! Synchronization of the clock with the reference clock: the database's clock, or the host's clock on SQLite.

use super::{error::Context as _, pool::Pool, sql};
use crate::{
    clock::{Clock, ClockOffset, Timestamp},
    error::ServiceError,
};

/// Sets `clock` to the reference clock. Returns the size of the step if the reference clock has stepped.
///
/// The error of the measurement is at most half its duration. The time budget of a statement limits it to about a
/// second, which is less than the size of a step.
///
/// # Errors
/// Returns a [`ServiceError`] if the database fails. The clock then keeps running by itself.
pub async fn synchronize_clock(db: &Pool, clock: &Clock) -> Result<Option<ClockOffset>, ServiceError> {
    let before = clock.now();
    let reference = read_reference(db, clock).await?;
    let round_trip = clock.now().since(before);
    let midpoint = before + round_trip.mul_f64(0.5);

    let offset = ClockOffset::between(reference, midpoint);
    clock.adjust(offset);
    Ok(offset.is_step().then_some(offset))
}

async fn read_reference(db: &Pool, clock: &Clock) -> Result<Timestamp, ServiceError> {
    // The reference of a frozen clock is its host's clock, which the test moves.
    if clock.is_frozen() {
        return Ok(clock.host_time());
    }
    let micros = sql::read_clock(db).await.context("reading the database's clock")?;
    Ok(micros.map_or_else(|| clock.host_time(), Timestamp::from_micros))
}
