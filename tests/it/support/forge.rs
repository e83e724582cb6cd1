//! Tokens that the service did not make: signed with its real key, which the test unseals by itself.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::EntityTrait as _;
use serde_json::Value;
use vestibule::entity::sealed_key;

use super::TestApp;

/// The service's signing key.
pub(crate) struct Forger {
    pub(crate) kid: String,
    pkcs8: Vec<u8>,
}

impl Forger {
    /// Opens the sealed key with the master key, as `SECURITY` of the seal says: AES-256-GCM, nonce first, purpose and
    /// id as associated data.
    pub(crate) async fn new(app: &TestApp) -> Self {
        let row = sealed_key::Entity::find().one(&app.app.db).await.unwrap().unwrap();
        let (nonce, text) = row.sealed.split_at(12);
        let mut text = text.to_vec();
        let bound_to = [b"vestibule:signing:".as_slice(), row.id.as_bytes()].concat();
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, app.master_key().expose()).unwrap());
        let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
        let pkcs8 = cipher.open_in_place(nonce, Aad::from(bound_to), &mut text).unwrap().to_vec();
        Self { kid: row.id.to_string(), pkcs8 }
    }

    /// A key of somebody else under the service's name.
    pub(crate) fn foreign(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: kid.to_owned(), pkcs8: pair.to_pkcs8v1().unwrap().as_ref().to_vec() }
    }

    /// Signs any header and claims, as text.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.pkcs8).unwrap();
        let signature = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The usual header with other claims.
    pub(crate) fn with_claims(&self, claims: &Value) -> String {
        self.sign(&format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{}"}}"#, self.kid), &claims.to_string())
    }
}

/// The header or the claims of a token.
pub(crate) fn part(token: &str, number: usize) -> Value {
    let text = URL_SAFE_NO_PAD.decode(token.split('.').nth(number).unwrap()).unwrap();
    serde_json::from_slice(&text).unwrap()
}
