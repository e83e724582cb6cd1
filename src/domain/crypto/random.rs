//! Cryptographically secure random bytes.

use crate::error::ServiceError;

/// Returns an array of random bytes.
///
/// # Errors
/// Returns [`ServiceError::Internal`] if the random generator fails.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], ServiceError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|error| ServiceError::internal("generating random bytes", error))?;
    Ok(bytes)
}
