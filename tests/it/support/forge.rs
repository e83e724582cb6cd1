//! Forged tokens, signed with the service's real key, which the tests unseal themselves.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use vestibule::{
    entity::sealed_key::{self, Purpose},
    ids::KeyId,
};

use super::TestApp;

/// The service's signing key.
pub(crate) struct Forger {
    pub(crate) kid: String,
    pkcs8: Vec<u8>,
}

impl Forger {
    pub(crate) async fn new(app: &TestApp) -> Self {
        let (id, pkcs8) = unseal_key(app, Purpose::Signing).await;
        Self { kid: id.to_string(), pkcs8 }
    }

    /// Generates another key and uses it under the service's key ID.
    pub(crate) fn with_other_key(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: kid.to_owned(), pkcs8: pair.to_pkcs8v1().unwrap().as_ref().to_vec() }
    }

    /// Signs any header and claims, as text.
    pub(crate) fn sign(&self, header: &str, claims: &(impl AsRef<[u8]> + ?Sized)) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.pkcs8).unwrap();
        let signature = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Signs these claims under the service's own header.
    pub(crate) fn with_claims(&self, claims: &Value) -> String {
        self.sign(&self.header(), &claims.to_string())
    }

    /// Returns the header of the service's own tokens.
    pub(crate) fn header(&self) -> String {
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{}"}}"#, self.kid)
    }
}

/// Unseals the key of a purpose with the master key: AES-256-GCM, nonce first, purpose and ID as associated data.
pub(crate) async fn unseal_key(app: &TestApp, purpose: Purpose) -> (KeyId, Vec<u8>) {
    let row = sealed_key::Entity::keys_of(purpose).one(&app.app.db).await.unwrap().unwrap();
    let (nonce, text) = row.sealed.split_at(12);
    let mut text = text.to_vec();
    let name = if purpose == Purpose::Signing { "signing" } else { "refresh" };
    let bound_to = [b"vestibule:", name.as_bytes(), b":", row.id.as_bytes()].concat();
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, app.master_key().expose()).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    let plain = cipher.open_in_place(nonce, Aad::from(bound_to), &mut text).unwrap().to_vec();
    (row.id, plain)
}

/// The prefix of refresh tokens.
pub(crate) const REFRESH_PREFIX: &str = "vst_r_";

/// The fields of a refresh token, as byte ranges: version, key, session, counter, secret.
pub(crate) const REFRESH_FIELDS: [std::ops::Range<usize>; 5] = [0..1, 1..17, 17..33, 33..41, 41..57];

/// Returns the bytes of a refresh token before its MAC.
pub(crate) fn refresh_message(token: &str) -> Vec<u8> {
    let mut bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(REFRESH_PREFIX).unwrap()).unwrap();
    bytes.truncate(57);
    bytes
}

/// Builds a refresh token from any bytes with a valid MAC, as a thief of the key could.
pub(crate) async fn refresh_token_with_mac(app: &TestApp, message: &[u8]) -> String {
    let (_, key) = unseal_key(app, Purpose::Refresh).await;
    refresh_token_with_key(&key, message)
}

/// Builds a refresh token with the MAC of any key.
pub(crate) fn refresh_token_with_key(key: &[u8], message: &[u8]) -> String {
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    format!("{REFRESH_PREFIX}{}", URL_SAFE_NO_PAD.encode([message, mac.as_ref()].concat()))
}

/// Decodes the header (0) or the claims (1) of an access token.
pub(crate) fn decode_part(token: &str, number: usize) -> Value {
    let text = URL_SAFE_NO_PAD.decode(token.split('.').nth(number).unwrap()).unwrap();
    serde_json::from_slice(&text).unwrap()
}
