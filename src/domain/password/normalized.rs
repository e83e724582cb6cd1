//! Normalized passwords: the form that is compared and hashed.

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::secret::Password;

/// A password in Unicode normalization form C, as in RFC 8265. Unlike the `OpaqueString` profile of this RFC, it
/// accepts all characters, such as newer emoji, and does not replace spaces.
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
