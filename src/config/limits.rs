//! `[limits]`

use super::{
    error::ConfigError,
    settings_macro::settings,
    units::{BoundedDuration, DAY, HOUR, MINUTE, SECOND},
    value::Count,
};

settings! {
    /// Rate limits, backoff and lockout. The limits apply across all instances. A client IP is an IPv4 address or the
    /// /64 network of an IPv6 address.
    pub struct Limits as "limits" {
        /// The number of login attempts that a client IP may make at once. An attempt with another username than the
        /// previous attempt counts as three, or as one if it succeeds.
        login_burst: Count<u32, 1, 1_000_000> = "30",
        /// The number of login attempts that a client IP regains per minute.
        logins_per_minute: Count<u32, 1, 1_000_000> = "30",
        /// The number of users that a client IP may register, at once and per hour.
        registrations_per_hour: Count<u32, 1, 1_000_000> = "20",
        /// The number of rejected refresh tokens that a client IP may send, at once and per minute. Valid refresh
        /// tokens do not count.
        rejected_refreshes_per_minute: Count<u32, 1, 1_000_000> = "30",
        /// The number of refreshes of one session, at once and per minute.
        refreshes_per_minute: Count<u32, 1, 1_000_000> = "60",
        /// The number of consecutive failed login attempts, for one user or one known network, before a backoff of 1,
        /// 2, 4 … seconds begins.
        free_failures: Count<u32, 1, 1_000_000> = "5",
        /// The maximum backoff after failed login attempts.
        max_backoff: BoundedDuration<SECOND, HOUR> = "15m",
        /// The number of consecutive failed login attempts that locks a user out from unknown networks.
        lockout_threshold: Count<u32, 1, 1_000_000> = "100",
        /// How long a lockout lasts, and how long failed login attempts are remembered; at least `limits.max_backoff`.
        lockout_duration: BoundedDuration<SECOND, { 30 * DAY }> = "1d",
        /// The maximum number of known networks of a user.
        known_networks: Count<u64, 1, 100> = "20",
        /// How long a network stays known after the last login from it.
        known_network_lifetime: BoundedDuration<MINUTE, { 400 * DAY }> = "30d",
    }
}

impl Limits {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.lockout_duration.get() < self.max_backoff.get() {
            let reason = format!("must be at least limits.max_backoff, which is {}", self.max_backoff);
            return Err(ConfigError::setting("limits.lockout_duration", reason));
        }
        Ok(())
    }
}
