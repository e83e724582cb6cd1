//! Backoff and lockout after failed login attempts.

use std::time::Duration;

use super::settings::LimitSettings;
use crate::{
    clock::{TOLERANCE, Timestamp},
    entity::rate_limit,
    error::ServiceError,
};

/// The scope of the failures that a row counts. Only [`Scope::User`] can lock the user out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The failures of a user from all unknown networks.
    User,
    /// The failures of a user from one known network.
    KnownNetwork,
}

/// Counts one more failure.
///
/// # Errors
/// Returns [`ServiceError::RateLimited`] if the backoff or lockout has not ended. Then nothing is counted.
pub(super) fn count_failure(
    row: &mut rate_limit::Model,
    settings: &LimitSettings,
    scope: Scope,
    now: Timestamp,
) -> Result<(), ServiceError> {
    let retry_after = remaining(row, settings, scope, now);
    if !retry_after.is_zero() {
        return Err(ServiceError::RateLimited { retry_after });
    }

    row.failures = row.failures.saturating_add(1);
    let wait = if is_locked_out(row.failures, settings, scope) {
        settings.lockout_duration
    } else {
        backoff(row.failures, settings)
    };
    row.until = now + wait;
    row.expires_at = now + settings.lockout_duration;
    Ok(())
}

/// Returns the remaining backoff or lockout.
///
/// If the clock has stepped back since the row was stored, a lockout lasts at most its configured duration, and a
/// backoff longer than possible is ignored.
pub(super) fn remaining(row: &rate_limit::Model, settings: &LimitSettings, scope: Scope, now: Timestamp) -> Duration {
    let remaining = row.until.since(now);
    if is_locked_out(row.failures, settings, scope) {
        return remaining.min(settings.lockout_duration);
    }

    let longest = backoff(row.failures, settings);
    if longest.is_zero() || remaining > longest.saturating_add(TOLERANCE) { Duration::ZERO } else { remaining }
}

/// Returns the backoff after `failures` consecutive failures: 1, 2, 4 … seconds, starting with the last free failure.
pub(super) fn backoff(failures: i64, settings: &LimitSettings) -> Duration {
    let beyond_free = failures.saturating_sub(i64::from(settings.free_failures));
    let Ok(doublings) = u32::try_from(beyond_free) else { return Duration::ZERO };
    let seconds = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
    Duration::from_secs(seconds).min(settings.max_backoff)
}

fn is_locked_out(failures: i64, settings: &LimitSettings, scope: Scope) -> bool {
    scope == Scope::User && failures >= i64::from(settings.lockout_threshold)
}
