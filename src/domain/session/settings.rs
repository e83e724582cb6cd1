//! How long sessions last, and how many a user may have.

use std::time::Duration;

/// The most live sessions that can be configured for a user. One login revokes at most as many. It revokes more than
/// one only after the setting was lowered.
pub const MAX_PER_USER: u64 = 100;

/// The settings of sessions.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings {
    /// How long a session lasts from login, even if it is used.
    pub lifetime: Duration,
    /// How long a session lasts without being refreshed.
    pub idle_lifetime: Duration,
    /// How long after a refresh the previous refresh token returns the same successor again.
    pub refresh_grace_period: Duration,
    /// The most live sessions of a user.
    pub max_per_user: u64,
}
