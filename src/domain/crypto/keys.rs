//! The kinds of keys: how each is generated, and parsed from its bytes.

use std::fmt;

use aws_lc_rs::{
    hmac,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey,
    jwk::{AlgorithmParameters, Jwk},
};
use zeroize::Zeroizing;

use super::random::random_bytes;
use crate::{error::ServiceError, ids::KeyId};

/// The length of an HMAC-SHA-256 key in bytes, equal to the length of its MACs.
const MAC_KEY_LENGTH: usize = 32;

/// A key pair that signs and verifies access tokens. Its only algorithm is ES256.
pub struct SigningKey {
    private: EncodingKey,
    public: DecodingKey,
    published: PublicKey,
}

/// The public half of a signing key: a point on the curve P-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The identifier of the key.
    pub id: KeyId,
    /// The x coordinate of the point, in base64url.
    pub x: String,
    /// The y coordinate of the point, in base64url.
    pub y: String,
}

impl SigningKey {
    /// The algorithm of every signing key.
    pub const ALGORITHM: Algorithm = Algorithm::ES256;

    /// Parses a key pair in PKCS#8 v1. Returns `None` if it is not on P-256.
    pub(super) fn parse(id: KeyId, pkcs8: &[u8]) -> Option<Self> {
        let private = EncodingKey::from_ec_der(pkcs8);
        let jwk = Jwk::from_encoding_key(&private, Self::ALGORITHM).ok()?;
        let AlgorithmParameters::EllipticCurve(point) = jwk.algorithm else { return None };
        let public = DecodingKey::from_ec_components(&point.x, &point.y).ok()?;
        let published = PublicKey { id, x: point.x, y: point.y };
        Some(Self { private, public, published })
    }

    /// Generates a key pair in PKCS#8 v1.
    pub(super) fn generate() -> Result<Zeroizing<Vec<u8>>, ServiceError> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .and_then(|pair| pair.to_pkcs8v1().map_err(|_| aws_lc_rs::error::Unspecified))
            .map(|pkcs8| Zeroizing::new(pkcs8.as_ref().to_vec()))
            .map_err(|error| ServiceError::internal("generating a signing key", error))
    }

    /// Returns the private half, which signs.
    pub const fn private(&self) -> &EncodingKey {
        &self.private
    }

    /// Returns the public half, which verifies.
    pub const fn public(&self) -> &DecodingKey {
        &self.public
    }

    /// Returns the public half, in the form that is published.
    pub const fn published(&self) -> &PublicKey {
        &self.published
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.published.id).finish_non_exhaustive()
    }
}

/// Parses a key for HMAC-SHA-256. Returns `None` if it has the wrong length.
pub(super) fn parse_mac_key(bytes: &[u8]) -> Option<hmac::Key> {
    (bytes.len() == MAC_KEY_LENGTH).then(|| hmac::Key::new(hmac::HMAC_SHA256, bytes))
}

/// Generates a key for HMAC-SHA-256.
pub(super) fn generate_mac_key() -> Result<Zeroizing<Vec<u8>>, ServiceError> {
    let bytes = Zeroizing::new(random_bytes::<MAC_KEY_LENGTH>()?);
    Ok(Zeroizing::new(bytes.to_vec()))
}
