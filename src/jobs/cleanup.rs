//! The job that removes expired rows. No rule depends on it: an expired row has no effect, whether it still exists or
//! not.

use std::time::Duration;

use crate::{
    domain::{app::App, audit, queue, session::delete_expired_sessions},
    error::ServiceError,
    metrics::SessionEnd,
};

/// How often one of the instances runs the cleanup.
const INTERVAL: Duration = Duration::from_mins(5);

/// How long an instance pauses the cleanup after it has noticed a step of the clock. A wrong clock may be corrected
/// within this time, and deleted rows cannot be restored.
const PAUSE_AFTER_STEP: Duration = Duration::from_hours(1);

/// The numbers of rows that a cleanup has deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Expired sessions.
    pub sessions: u64,
    /// Expired rate limits.
    pub rate_limits: u64,
    /// Expired known networks.
    pub known_networks: u64,
    /// Audit events older than the retention period.
    pub audit_events: u64,
}

/// Deletes expired rows, unless an instance has done so within the last five minutes, or this instance has noticed a
/// step of the clock within the last hour.
pub async fn run_cleanup(app: &App) -> Result<Deleted, ServiceError> {
    if app.clock.has_stepped_within(PAUSE_AFTER_STEP) {
        return Ok(Deleted::default());
    }
    let now = app.clock.now();
    if !queue::claim(&app.db, "cleanup", INTERVAL, now).await? {
        return Ok(Deleted::default());
    }

    let sessions = delete_expired_sessions(&app.db, now).await?;
    app.metrics.record_sessions_ended(SessionEnd::Expired, sessions);
    let rate_limits = app.limits.delete_expired(&app.db, now).await?;
    let known_networks = app.limits.delete_unused_networks(&app.db, now).await?;
    let audit_events = audit::delete_old_events(&app.db, &app.audit, now - app.audit_retention).await?;
    Ok(Deleted { sessions, rate_limits, known_networks, audit_events })
}
