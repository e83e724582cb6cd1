//! The clean-up of what has come to its end. Nothing depends on it: what is over counts for nothing whether its row is
//! still there or not.

use std::time::Duration;

use super::{App, audit, device, fault::Fault, job, session, throttle};

/// How often it is done.
const EVERY: Duration = Duration::from_mins(5);

/// How many rows a clean-up removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Sessions that were over.
    pub sessions: u64,
    /// Throttles that had expired.
    pub throttles: u64,
    /// Devices that were no longer known.
    pub devices: u64,
    /// Audit events that were kept long enough.
    pub events: u64,
}

/// Removes what is over, if no instance has done so lately.
///
/// # Errors
/// The database's.
pub async fn run(app: &App) -> Result<Removed, Fault> {
    if !job::take(app, "clean_up", EVERY).await? {
        return Ok(Removed::default());
    }
    Ok(Removed {
        sessions: session::clean_up(app).await?,
        throttles: throttle::clean_up(app).await?,
        devices: device::clean_up(app).await?,
        events: audit::clean_up(app).await?,
    })
}
