//! The settings of rate limits, backoff and lockout.

use std::time::Duration;

/// The rate of a token bucket.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many tokens a full bucket holds.
    pub burst: u32,
    /// How long it takes to refill one token.
    pub refill: Duration,
}

impl Rate {
    /// Returns how long it takes to refill an empty bucket.
    pub(super) const fn refill_all(self) -> Duration {
        self.refill.saturating_mul(self.burst)
    }
}

/// The configured limits.
#[derive(Clone, Copy, Debug)]
pub struct LimitSettings {
    /// The rate of login attempts of a client.
    pub logins: Rate,
    /// The rate of registrations of a client.
    pub registrations: Rate,
    /// The rate of rejected refresh tokens of a client.
    pub rejected_refreshes: Rate,
    /// The rate of refreshes of a session.
    pub refreshes: Rate,
    /// How many consecutive login attempts may fail before the backoff begins. The last of them starts it.
    pub free_failures: u32,
    /// The maximum backoff.
    pub max_backoff: Duration,
    /// How many consecutive failures lock a user out (NIST SP 800-63B-4 section 3.2.2).
    pub lockout_threshold: u32,
    /// How long a lockout lasts, and how long failures are remembered.
    pub lockout_duration: Duration,
    /// The maximum number of known networks of a user.
    pub known_networks: u64,
    /// How long a network stays known after the last login from it.
    pub known_network_lifetime: Duration,
}
