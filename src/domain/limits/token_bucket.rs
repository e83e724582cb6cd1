//! Token buckets. The only state of a bucket is the time at which it will be full again.

use super::settings::Rate;
use crate::{
    clock::{TOLERANCE, Timestamp},
    error::ServiceError,
};

/// Takes `tokens` from a bucket that is full again at `full_at`. Returns the new time at which it is full again.
///
/// # Errors
/// Returns [`ServiceError::RateLimited`] if the bucket does not hold enough tokens. Then the bucket is unchanged.
pub(super) fn take(full_at: Timestamp, rate: Rate, tokens: u32, now: Timestamp) -> Result<Timestamp, ServiceError> {
    // An attempt that costs more than the bucket holds is allowed when the bucket is full.
    let tokens = tokens.min(rate.burst);
    let empty = now + rate.refill_all();

    // No bucket takes longer to fill than an empty one. If this one appears to, it was stored before the clock stepped
    // back, with another rate, or by an instance whose clock is slightly ahead.
    let full_at = if full_at > empty + TOLERANCE { now } else { full_at.clamp(now, empty) };

    let full_at = full_at + rate.refill.saturating_mul(tokens);
    let retry_after = full_at.since(empty);
    if retry_after.is_zero() { Ok(full_at) } else { Err(ServiceError::RateLimited { retry_after }) }
}

/// Puts `tokens` back. Returns the new time at which the bucket is full again.
pub(super) fn put_back(full_at: Timestamp, rate: Rate, tokens: u32) -> Timestamp {
    full_at - rate.refill.saturating_mul(tokens)
}
