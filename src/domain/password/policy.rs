//! The policy for new passwords. It does not apply to login.

use std::{collections::HashSet, sync::LazyLock};

use zeroize::Zeroizing;

use super::normalized::NormalizedPassword;
use crate::domain::name::Name;

/// The minimum length of a new password, in code points (NIST SP 800-63B-4 section 3.1.1.2, OWASP ASVS 6.2.1).
pub const MIN_LENGTH: usize = 8;
/// The maximum length of any password, in code points.
pub const MAX_LENGTH: usize = 256;

/// The most common passwords with at least [`MIN_LENGTH`] characters, in lower case, one per line. NOTICE names the
/// source.
const COMMON: &str = include_str!("common.txt");

static BLOCKLIST: LazyLock<HashSet<&'static str>> = LazyLock::new(|| COMMON.lines().collect());

/// Why the password policy rejects a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// The password has fewer code points than the policy requires, counted after normalization.
    #[error("must have at least {0} characters")]
    TooShort(usize),
    /// The password has more code points than [`MAX_LENGTH`].
    #[error("must have at most {MAX_LENGTH} characters")]
    TooLong,
    /// The password is in the list of the most common passwords.
    #[error("is one of the most common passwords; choose one that is harder to guess")]
    Common,
    /// The password is the username.
    #[error("must not be the username")]
    SameAsName,
}

/// The policy for new passwords.
#[derive(Clone, Debug)]
pub struct PasswordPolicy {
    /// The minimum length in code points, at least [`MIN_LENGTH`].
    pub min_length: usize,
}

impl PasswordPolicy {
    /// Checks a new password of the user with this name. Comparisons with the list and the name use the whole password
    /// and ignore case.
    ///
    /// # Errors
    /// Returns the first [`Weakness`] found.
    pub fn check(&self, password: &NormalizedPassword, name: &Name) -> Result<(), Weakness> {
        let length = password.as_str().chars().count();
        if length < self.min_length {
            return Err(Weakness::TooShort(self.min_length));
        }
        if length > MAX_LENGTH {
            return Err(Weakness::TooLong);
        }

        let lower = Zeroizing::new(password.as_str().to_lowercase());
        if BLOCKLIST.contains(lower.as_str()) {
            return Err(Weakness::Common);
        }
        if [name.canonical(), name.shown()].iter().any(|name| *lower == name.to_lowercase()) {
            return Err(Weakness::SameAsName);
        }
        Ok(())
    }
}
