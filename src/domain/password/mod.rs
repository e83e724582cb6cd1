//! Passwords: which may be set, and how they are kept and checked.

mod argon;
#[cfg(fuzzing)]
pub mod fuzzing;
mod pace;
mod queue;

use std::{collections::HashSet, sync::LazyLock};

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

pub use self::argon::{Cost, FLOOR, InvalidCost};
pub use self::queue::{Hashing, HashingSettings, Verdict};
use super::name::Name;
use crate::secret::Password;

/// The fewest code points of a password that is set (NIST SP 800-63B-4 section 3.1.1.2, ASVS 6.2.1).
pub const MIN_LENGTH: usize = 8;
/// The most code points of any password.
pub const MAX_LENGTH: usize = 256;

/// The commonest passwords of [`MIN_LENGTH`] and more characters, in lower case, one a line; NOTICE names the source.
const COMMON: &str = include_str!("common.txt");

static BLOCKLIST: LazyLock<HashSet<&'static str>> = LazyLock::new(|| COMMON.lines().collect());

/// Why a password cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Fewer code points than the policy asks for, counted after normalisation.
    #[error("must have at least {0} characters")]
    TooShort(usize),
    /// More code points than [`MAX_LENGTH`].
    #[error("must have at most {MAX_LENGTH} characters")]
    TooLong,
    /// It stands in the list of the commonest passwords.
    #[error("is one of the commonest passwords, which are guessed first")]
    Common,
    /// It is the account's own name.
    #[error("must not be the user name")]
    SameAsName,
}

/// A password in Unicode normalisation form C, the form that is hashed: RFC 8265's form, without its refusal of
/// control characters and newer emoji.
pub(crate) struct Normalised(Zeroizing<String>);

impl Normalised {
    pub(crate) fn new(password: &Password) -> Self {
        Self(Zeroizing::new(password.expose().nfc().collect()))
    }

    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// What a password must satisfy when it is set; never consulted at login.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The fewest code points, at least [`MIN_LENGTH`].
    pub min_length: usize,
}

impl Policy {
    /// Checks a new password for the account called `name`: compared whole, in lower case, nothing stripped.
    ///
    /// # Errors
    /// The first [`Weakness`] found.
    pub(crate) fn check(&self, password: &Normalised, name: &Name) -> Result<(), Weakness> {
        let length = password.0.chars().count();
        if length < self.min_length {
            return Err(Weakness::TooShort(self.min_length));
        }
        if length > MAX_LENGTH {
            return Err(Weakness::TooLong);
        }
        let lower = Zeroizing::new(password.0.to_lowercase());
        if BLOCKLIST.contains(lower.as_str()) {
            return Err(Weakness::Common);
        }
        let own = [name.canonical(), name.shown()];
        if own.iter().any(|own| *lower == own.to_lowercase()) {
            return Err(Weakness::SameAsName);
        }
        Ok(())
    }
}
