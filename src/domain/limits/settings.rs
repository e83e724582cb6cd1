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

/// The limits of a service.
#[derive(Clone, Copy, Debug)]
pub struct LimitSettings {
    /// Login attempts of a client.
    pub logins: Rate,
    /// Registrations of a client.
    pub registrations: Rate,
    /// Rejected refresh tokens of a client.
    pub rejected_refreshes: Rate,
    /// Refreshes of a session.
    pub refreshes: Rate,
    /// How many login attempts in a row may fail before the backoff begins. The last of them starts it.
    pub free_failures: u32,
    /// The longest backoff.
    pub max_backoff: Duration,
    /// How many failures in a row lock a user out (NIST SP 800-63B-4 section 3.2.2).
    pub lockout_threshold: u32,
    /// How long a lockout lasts, and how long failures are remembered.
    pub lockout_duration: Duration,
    /// How many known networks a user has at most.
    pub known_networks: u64,
    /// How long a network stays known after the last login from it.
    pub known_network_lifetime: Duration,
}
