//! The settings of sessions.

use std::time::Duration;

/// The highest configurable number of live sessions of a user. It also limits how many sessions one login revokes. A
/// login revokes more than one only after the setting was lowered.
pub const MAX_PER_USER: u64 = 100;

/// The settings of sessions.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings {
    /// How long a session lasts after the login, even if it is refreshed.
    pub lifetime: Duration,
    /// How long a session lasts after its last refresh.
    pub idle_lifetime: Duration,
    /// How long after a refresh the previous refresh token returns the same successor again.
    pub refresh_grace_period: Duration,
    /// The maximum number of live sessions of a user.
    pub max_per_user: u64,
}
