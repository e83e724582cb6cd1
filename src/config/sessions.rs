//! `[sessions]`

use std::time::Duration;

use super::{
    error::ConfigError,
    settings_macro::settings,
    units::{BoundedDuration, DAY, MINUTE, SECOND},
    value::Count,
};
use crate::domain::session;

/// The default idle lifetime, unless `sessions.lifetime` is shorter.
const DEFAULT_IDLE_LIFETIME: Duration = Duration::from_hours(14 * 24);

settings! {
    /// Sessions and their refresh tokens.
    pub struct Sessions as "sessions" {
        /// How long a session lasts after the login, even if it is refreshed.
        lifetime: BoundedDuration<MINUTE, { 400 * DAY }> = "30d",
        /// How long a session lasts after its last refresh; at most `sessions.lifetime`. If unset, `14d` or
        /// `sessions.lifetime`, whichever is shorter.
        idle_lifetime: Option<BoundedDuration<MINUTE, { 400 * DAY }>> = "",
        /// How long a used refresh token still returns the same successor. With `0s`, a user must log in again if a
        /// response is lost or two tabs refresh at once.
        refresh_grace_period: BoundedDuration<0, { 300 * SECOND }> = "30s",
        /// The maximum number of active sessions of a user. A login beyond it revokes the oldest session.
        max_per_user: Count<u64, 1, { session::MAX_PER_USER }> = "100",
    }
}

impl Sessions {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.idle_lifetime() > self.lifetime.get() {
            let reason = format!("must be at most sessions.lifetime, which is {}", self.lifetime);
            return Err(ConfigError::setting("sessions.idle_lifetime", reason));
        }
        Ok(())
    }

    /// Returns how long a session lasts after its last refresh.
    pub fn idle_lifetime(&self) -> Duration {
        self.idle_lifetime.map_or_else(|| DEFAULT_IDLE_LIFETIME.min(self.lifetime.get()), BoundedDuration::get)
    }
}
