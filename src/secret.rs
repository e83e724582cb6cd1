//! Secrets. All are redacted in `Debug` output. Plaintext secrets are wiped from memory when they are dropped.

use std::fmt;

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::DeriveValueType;
use secrecy::{ExposeSecret, SecretString};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Declares a string that is wiped when it is dropped and redacted in `Debug` output.
macro_rules! secret_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(SecretString);

        impl $name {
            /// Returns the plaintext.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
    };
}

secret_text! {
    /// A password, as a client sent it.
    Password
}

secret_text! {
    /// An access token: a JWT in the compact serialization of RFC 7515.
    AccessToken
}

secret_text! {
    /// A refresh token, in the form that clients receive and send.
    RefreshToken
}

/// Implements `Debug` so that it prints only the name of the type.
macro_rules! redact {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "([REDACTED])"))
            }
        }
    )*};
}

redact!(PasswordHash, SessionSecret, SecretDigest, MasterKey);

/// A stored password hash as a PHC string.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Returns the PHC string.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for PasswordHash {
    fn from(phc: String) -> Self {
        Self(phc)
    }
}

/// The secret of a session: 128 random bits that the login generates. Every refresh token of the session contains it.
/// The database stores only its [`SecretDigest`].
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionSecret([u8; 16]);

impl SessionSecret {
    /// Creates the secret from 16 bytes of a random generator or of a refresh token.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the plaintext of the secret.
    pub const fn expose(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The SHA-256 digest of a session secret. A fast hash is sufficient, because nobody can guess 128 random bits.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct SecretDigest(Vec<u8>);

impl SecretDigest {
    /// Computes the digest of `secret`.
    pub fn of(secret: &SessionSecret) -> Self {
        Self(digest(&SHA256, secret.expose()).as_ref().to_vec())
    }

    /// Returns whether this is the digest of `secret`. The comparison takes constant time.
    pub fn matches(&self, secret: &SessionSecret) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(secret).0).is_ok()
    }
}

/// Why a text is not a valid master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMasterKey {
    /// The text is not 32 bytes in base64url without padding.
    #[error(
        "the master key must be 32 random bytes in base64url, 43 characters; generate one with `vestibule keys \
         generate`"
    )]
    Malformed,
    /// The text has the right format, but its bytes are not random.
    #[error("the master key is not random; generate one with `vestibule keys generate`")]
    Weak,
}

/// The 32-byte key that seals every other key. It has no other use.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// The minimum number of distinct bytes in a random key. A random generator produces fewer with a probability below
    /// 10⁻¹⁵.
    const MIN_DISTINCT_BYTES: usize = 16;

    /// Creates a key from 32 bytes of a random generator.
    pub const fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Parses the text form. Surrounding white space is allowed, because files end with a line break.
    pub fn parse(text: &str) -> Result<Self, InvalidMasterKey> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| InvalidMasterKey::Malformed)?);
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| InvalidMasterKey::Malformed)?;
        let mut distinct = key.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < Self::MIN_DISTINCT_BYTES {
            return Err(InvalidMasterKey::Weak);
        }
        Ok(Self(key))
    }

    /// Returns the text form: base64url without padding.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0))
    }

    /// Returns the plaintext of the key.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}
