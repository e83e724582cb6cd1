//! The form in which passwords are compared and hashed.

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::secret::Password;

/// A password in Unicode normalization form C. That is the form of RFC 8265, but control characters and newer emoji are
/// accepted.
pub struct NormalizedPassword(Zeroizing<String>);

impl NormalizedPassword {
    /// Normalizes a password.
    pub fn new(password: &Password) -> Self {
        Self(Zeroizing::new(password.expose().nfc().collect()))
    }

    /// Returns the password as text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the bytes that are hashed.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
