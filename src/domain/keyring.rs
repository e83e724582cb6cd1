//! The keyring: the service's keys, opened from their rows.

use std::collections::HashMap;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey,
    jwk::{AlgorithmParameters, Jwk},
};
use sea_orm::{ActiveValue::Set, DatabaseConnection, EntityTrait};
use zeroize::Zeroizing;

use super::{
    App,
    database::begin_write,
    fault::{Doing as _, Fault, is_unique_violation},
    seal::{self, BrokenSeal},
};
use crate::{
    clock::{Clock, Timestamp},
    entity::{
        sealed_key::{self, Purpose},
        session,
    },
    ids::KeyId,
    secret::MasterKey,
};

/// Why the keyring cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The master key is missing or not the one that sealed the rows.
    #[error(transparent)]
    BrokenSeal(#[from] BrokenSeal),
    /// A row opens, but what is in it is not a key.
    #[error("the stored key {0} is damaged")]
    Damaged(KeyId),
    /// The database, or the random generator.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A key that signs access tokens and the public half that verifies them. It has exactly one algorithm, ES256.
struct SigningKey {
    private: EncodingKey,
    public: DecodingKey,
    published: PublicKey,
}

/// The public half of a signing key: a point on the curve P-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The key's identifier.
    pub id: KeyId,
    /// The point's x coordinate in base64url.
    pub x: String,
    /// The point's y coordinate in base64url.
    pub y: String,
}

impl SigningKey {
    const ALGORITHM: Algorithm = Algorithm::ES256;

    fn open(row: &sealed_key::Model, master: &MasterKey) -> Result<Self, KeyringError> {
        let pkcs8 = seal::open(master, purpose_name(row.purpose), row.id, &row.sealed)?;
        let private = EncodingKey::from_ec_der(&pkcs8);
        let jwk = Jwk::from_encoding_key(&private, Self::ALGORITHM).map_err(|_| KeyringError::Damaged(row.id))?;
        let AlgorithmParameters::EllipticCurve(point) = jwk.algorithm else {
            return Err(KeyringError::Damaged(row.id));
        };
        let public = DecodingKey::from_ec_components(&point.x, &point.y).map_err(|_| KeyringError::Damaged(row.id))?;
        let published = PublicKey { id: row.id, x: point.x, y: point.y };
        Ok(Self { private, public, published })
    }
}

/// The opened keys. Tokens are signed with the newest one and verified with the one that they name.
pub struct Keyring {
    active: KeyId,
    signing: HashMap<KeyId, SigningKey>,
    published: Vec<PublicKey>,
}

impl Keyring {
    /// Opens every key of the database; where there is none yet, the first one is made.
    ///
    /// # Errors
    /// [`KeyringError`]. With keys that do not open, nothing is made in their place: a new issuer key would silently
    /// void every token and let whoever took the database impersonate the service.
    pub async fn open(db: &DatabaseConnection, master: &MasterKey, clock: &Clock) -> Result<Self, KeyringError> {
        let mut rows = stored(db).await?;
        if rows.is_empty() {
            add_signing_key(db, master, clock.now(), 0).await?;
            rows = stored(db).await?;
        }
        let keys = rows.iter().map(|row| SigningKey::open(row, master)).collect::<Result<Vec<_>, _>>()?;
        let active = keys.last().map(|key| key.published.id).ok_or(BrokenSeal)?;
        let published = keys.iter().map(|key| key.published.clone()).collect();
        let signing = keys.into_iter().map(|key| (key.published.id, key)).collect();
        Ok(Self { active, signing, published })
    }

    /// The algorithm and the identifier of the key that signs now, and the key.
    pub(super) fn signer(&self) -> Option<(Algorithm, KeyId, &EncodingKey)> {
        let key = self.signing.get(&self.active)?;
        Some((SigningKey::ALGORITHM, self.active, &key.private))
    }

    /// The algorithm and public half of the key with this identifier.
    pub(super) fn verifier(&self, id: KeyId) -> Option<(Algorithm, &DecodingKey)> {
        self.signing.get(&id).map(|key| (SigningKey::ALGORITHM, &key.public))
    }

    /// The public halves, oldest first.
    #[must_use]
    pub fn published(&self) -> &[PublicKey] {
        &self.published
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("active", &self.active).finish_non_exhaustive()
    }
}

/// The public keys that verify this service's access tokens.
#[must_use]
pub fn published(app: &App) -> &[PublicKey] {
    app.keyring.published()
}

/// Whether the database holds keys that a master key must open.
///
/// # Errors
/// The database's.
pub async fn is_sealed(db: &DatabaseConnection) -> Result<bool, Fault> {
    Ok(!stored(db).await?.is_empty())
}

/// Removes every key and every session, after which a new master key can take over; accounts stay.
///
/// # Errors
/// The database's; then nothing has changed.
pub async fn reset(db: &DatabaseConnection) -> Result<(), Fault> {
    let transaction = begin_write(db).await.doing("resetting the keys")?;
    session::Entity::delete_many().exec(&transaction).await.doing("ending all sessions")?;
    sealed_key::Entity::delete_many().exec(&transaction).await.doing("removing the keys")?;
    transaction.commit().await.doing("resetting the keys")
}

async fn stored(db: &DatabaseConnection) -> Result<Vec<sealed_key::Model>, Fault> {
    sealed_key::Entity::keys_of(Purpose::Signing).all(db).await.doing("reading the keys")
}

/// Makes the signing key that follows generation `last`. Should another instance be faster, its key counts.
async fn add_signing_key(
    db: &DatabaseConnection,
    master: &MasterKey,
    now: Timestamp,
    last: i32,
) -> Result<(), KeyringError> {
    let id = KeyId::random();
    let pkcs8 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
        .and_then(|pair| pair.to_pkcs8v1().map_err(|_| aws_lc_rs::error::Unspecified))
        .map_err(|error| Fault::internal("making a signing key", error))?;
    let plain = Zeroizing::new(pkcs8.as_ref().to_vec());
    let row = sealed_key::ActiveModel {
        id: Set(id),
        purpose: Set(Purpose::Signing),
        generation: Set(last + 1),
        sealed: Set(seal::seal(master, purpose_name(Purpose::Signing), id, &plain)?),
        created_at: Set(now),
    };
    let transaction = begin_write(db).await.doing("storing a signing key")?;
    match sealed_key::Entity::insert(row).exec_without_returning(&transaction).await {
        Err(error) if is_unique_violation(&error) => return Ok(()),
        other => other.doing("storing a signing key")?,
    };
    Ok(transaction.commit().await.doing("storing a signing key")?)
}

const fn purpose_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Signing => "signing",
    }
}
