//! Secrets: redacted when printed; those in the clear are wiped when dropped.

use std::fmt;

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::DeriveValueType;
use secrecy::{ExposeSecret, SecretString};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A password as a client sent it.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

impl Password {
    /// The password in the clear.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// A stored password hash as a PHC string.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The PHC string.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for PasswordHash {
    fn from(phc: String) -> Self {
        Self(phc)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([REDACTED])")
    }
}

/// An access token in the clear.
#[derive(Clone, Debug)]
pub struct AccessToken(SecretString);

impl AccessToken {
    /// The token in RFC 7515's compact serialisation.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for AccessToken {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// A refresh token in the clear.
#[derive(Clone, Debug)]
pub struct RefreshToken(SecretString);

impl RefreshToken {
    /// The token as clients keep it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for RefreshToken {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// The secret of a session: 128 random bits, drawn at login, which every refresh token of the session carries and no
/// row holds.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionSecret([u8; 16]);

impl SessionSecret {
    /// Takes 16 bytes from a random generator, or out of a token.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The secret in the clear.
    pub const fn expose(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret([REDACTED])")
    }
}

/// The SHA-256 digest of a session's secret. A plain hash is enough for 128 random bits: there is nothing to guess.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct SecretDigest(Vec<u8>);

impl SecretDigest {
    /// The digest of `secret`.
    pub fn of(secret: &SessionSecret) -> Self {
        Self(digest(&SHA256, secret.expose()).as_ref().to_vec())
    }

    /// Whether it is the digest of `secret`, compared in constant time.
    pub fn fits(&self, secret: &SessionSecret) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(secret).0).is_ok()
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest([REDACTED])")
    }
}

/// The text is not a master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMasterKey {
    /// Not 32 bytes in base64url without padding.
    #[error("a master key is 32 random bytes in base64url, 43 characters; `vestibule keys generate` prints one")]
    Malformed,
    /// Well-formed, but not random.
    #[error("this master key is not random; `vestibule keys generate` prints one that is")]
    Weak,
}

/// The 32-byte key that seals every other key; it never signs or encrypts anything else.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// Fewer different bytes than this never come out of a random generator: the chance is below 10⁻¹⁵.
    const LEAST_DISTINCT_BYTES: usize = 16;

    /// Takes 32 bytes from a random generator.
    pub const fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the text form; surrounding white space is allowed, as files end in a line break.
    ///
    /// # Errors
    /// [`InvalidMasterKey`] when the text has another form, or when its bytes repeat too much to be random.
    pub fn parse(text: &str) -> Result<Self, InvalidMasterKey> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| InvalidMasterKey::Malformed)?);
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| InvalidMasterKey::Malformed)?;
        let mut distinct = key.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < Self::LEAST_DISTINCT_BYTES {
            return Err(InvalidMasterKey::Weak);
        }
        Ok(Self(key))
    }

    /// The text form.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0))
    }

    /// The key in the clear.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey([REDACTED])")
    }
}
