//! The keyring: the service's keys, opened from their rows.

use std::collections::HashMap;

use aws_lc_rs::{
    hmac, rand,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey,
    jwk::{AlgorithmParameters, Jwk},
};
use sea_orm::{ActiveValue::Set, EntityTrait, PaginatorTrait as _};
use zeroize::Zeroizing;

use super::{
    App,
    audit::{self, Actor, Event, Kind, Trail},
    fault::{Doing as _, Fault, is_unique_violation},
    pool::Pool,
    seal::{self, BrokenSeal},
    transaction::write,
};
use crate::{
    clock::{Clock, Timestamp},
    entity::{
        known_device,
        sealed_key::{self, Purpose},
        session, throttle,
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
    /// There is no row, but there is what needs its key.
    #[error("the database has lost its {0} key")]
    Lost(&'static str),
    /// There is the key of the audit trail, but not its head.
    #[error("the database has lost the head of its audit trail")]
    LostHead,
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

    fn read(row: &sealed_key::Model, pkcs8: &[u8]) -> Result<Self, KeyringError> {
        let private = EncodingKey::from_ec_der(pkcs8);
        let jwk = Jwk::from_encoding_key(&private, Self::ALGORITHM).map_err(|_| KeyringError::Damaged(row.id))?;
        let AlgorithmParameters::EllipticCurve(point) = jwk.algorithm else {
            return Err(KeyringError::Damaged(row.id));
        };
        let public = DecodingKey::from_ec_components(&point.x, &point.y).map_err(|_| KeyringError::Damaged(row.id))?;
        let published = PublicKey { id: row.id, x: point.x, y: point.y };
        Ok(Self { private, public, published })
    }

    /// A new key pair as PKCS#8 v1.
    fn generate() -> Result<Zeroizing<Vec<u8>>, Fault> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .and_then(|pair| pair.to_pkcs8v1().map_err(|_| aws_lc_rs::error::Unspecified))
            .map(|pkcs8| Zeroizing::new(pkcs8.as_ref().to_vec()))
            .map_err(|error| Fault::internal("making a signing key", error))
    }
}

/// How many random bytes a key of HMAC-SHA-256 has: as many as its MACs.
const MAC_KEY_LENGTH: usize = 32;

fn read_mac_key(row: &sealed_key::Model, bytes: &[u8]) -> Result<hmac::Key, KeyringError> {
    if bytes.len() != MAC_KEY_LENGTH {
        return Err(KeyringError::Damaged(row.id));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, bytes))
}

fn generate_mac_key() -> Result<Zeroizing<Vec<u8>>, Fault> {
    let mut bytes = Zeroizing::new(vec![0; MAC_KEY_LENGTH]);
    rand::fill(&mut bytes).map_err(|error| Fault::internal("making a key", error))?;
    Ok(bytes)
}

/// The keys of one purpose.
struct Keys<K> {
    active: KeyId,
    all: HashMap<KeyId, K>,
}

impl<K> Keys<K> {
    /// Takes the keys with their identifiers, the newest last.
    fn new(keys: Vec<(KeyId, K)>) -> Result<Self, KeyringError> {
        let (active, _) = keys.last().ok_or_else(|| Fault::internal("opening the keys", "there is none"))?;
        Ok(Self { active: *active, all: keys.into_iter().collect() })
    }

    fn active(&self) -> Option<(KeyId, &K)> {
        Some((self.active, self.all.get(&self.active)?))
    }
}

/// The opened keys. Tokens are made with the newest one of their kind and checked with the one that they name.
pub struct Keyring {
    signing: Keys<SigningKey>,
    refresh: Keys<hmac::Key>,
    pseudonym: Keys<hmac::Key>,
    published: Vec<PublicKey>,
    audit: KeyId,
    trail: Trail,
}

impl Keyring {
    /// Opens every key of the database; where a purpose has none yet, its first one is made.
    ///
    /// # Errors
    /// [`KeyringError`]. Nothing is made in the place of keys that do not open or are lost: a new issuer key would silently
    /// void every token and let whoever took the database impersonate the service.
    pub async fn open(db: &Pool, master: &MasterKey, clock: &Clock) -> Result<Self, KeyringError> {
        // First, because it notes that the others are made.
        let audit = Keys::new(opened(db, master, clock, Purpose::Audit, None, read_mac_key).await?)?;
        let (audit, key) = audit.active().ok_or(KeyringError::LostHead)?;
        let trail = Trail::new(key.clone());
        audit::head(db).await?.ok_or(KeyringError::LostHead)?;
        let noted = Some(&trail);
        let signing = opened(db, master, clock, Purpose::Signing, noted, SigningKey::read).await?;
        let published = signing.iter().map(|(_, key)| key.published.clone()).collect();
        let refresh = opened(db, master, clock, Purpose::Refresh, noted, read_mac_key).await?;
        let pseudonym = opened(db, master, clock, Purpose::Pseudonym, noted, read_mac_key).await?;
        Ok(Self {
            signing: Keys::new(signing)?,
            refresh: Keys::new(refresh)?,
            pseudonym: Keys::new(pseudonym)?,
            published,
            audit,
            trail,
        })
    }

    /// The algorithm and the identifier of the key that signs now, and the key.
    pub(super) fn signer(&self) -> Option<(Algorithm, KeyId, &EncodingKey)> {
        self.signing.active().map(|(id, key)| (SigningKey::ALGORITHM, id, &key.private))
    }

    /// The algorithm and public half of the key with this identifier.
    pub(super) fn verifier(&self, id: KeyId) -> Option<(Algorithm, &DecodingKey)> {
        self.signing.all.get(&id).map(|key| (SigningKey::ALGORITHM, &key.public))
    }

    /// The identifier of the key that makes refresh tokens now, and the key.
    pub(super) fn refresh_maker(&self) -> Option<(KeyId, &hmac::Key)> {
        self.refresh.active()
    }

    /// The key that checks refresh tokens made with the key of this identifier.
    pub(super) fn refresh_checker(&self, id: KeyId) -> Option<&hmac::Key> {
        self.refresh.all.get(&id)
    }

    /// A text that stands for another one wherever it is only to be recognised, for one purpose: a keyed hash in
    /// base64url, 43 characters.
    pub(super) fn pseudonym(&self, purpose: &str, text: &str) -> String {
        let Some((_, key)) = self.pseudonym.active() else { return String::new() };
        let mut context = hmac::Context::with_key(key);
        context.update(purpose.as_bytes());
        context.update(&[0]);
        context.update(text.as_bytes());
        URL_SAFE_NO_PAD.encode(context.sign())
    }

    /// The audit trail.
    pub(super) const fn trail(&self) -> &Trail {
        &self.trail
    }

    /// The public halves, oldest first.
    #[must_use]
    pub fn published(&self) -> &[PublicKey] {
        &self.published
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("active", &self.signing.active).finish_non_exhaustive()
    }
}

/// The public keys that verify this service's access tokens.
#[must_use]
pub fn published(app: &App) -> &[PublicKey] {
    app.keyring.published()
}

/// Whether the database holds the keys that are in use. It does at the start; after a reset, or when a backup is put back,
/// it may hold others.
///
/// # Errors
/// The database's.
pub(super) async fn is_stored(app: &App) -> Result<bool, Fault> {
    let ring = &app.keyring;
    let used = [ring.audit, ring.signing.active, ring.refresh.active, ring.pseudonym.active];
    let stored = sealed_key::Entity::of(used).count(&app.db).await.doing("looking for the keys")?;
    Ok(stored == used.len() as u64)
}

/// Whether the database holds keys that a master key must open.
///
/// # Errors
/// The database's.
pub async fn is_sealed(db: &Pool) -> Result<bool, Fault> {
    Ok(sealed_key::Entity::find().one(db).await.doing("reading the keys")?.is_some())
}

/// Removes every key and what was made with them, sessions, throttles and known devices, after which a new master key can
/// take over; accounts stay, and so do audit events, outside any chain.
///
/// # Errors
/// The database's; then nothing has changed.
pub async fn reset(db: &Pool, clock: &Clock) -> Result<(), Fault> {
    let doing = "resetting the keys";
    write(db, doing, |transaction| async move {
        session::Entity::delete_many().exec(&*transaction).await.doing(doing)?;
        throttle::Entity::delete_many().exec(&*transaction).await.doing(doing)?;
        known_device::Entity::delete_many().exec(&*transaction).await.doing(doing)?;
        sealed_key::Entity::delete_many().exec(&*transaction).await.doing(doing)?;
        audit::give_up(&transaction, clock.now()).await
    })
    .await
}

/// The keys of a purpose with their identifiers, the newest last; the first one is made where there is none.
async fn opened<K>(
    db: &Pool,
    master: &MasterKey,
    clock: &Clock,
    purpose: Purpose,
    trail: Option<&Trail>,
    read: impl Fn(&sealed_key::Model, &[u8]) -> Result<K, KeyringError>,
) -> Result<Vec<(KeyId, K)>, KeyringError> {
    let stored = async || sealed_key::Entity::keys_of(purpose).all(db).await.doing("reading the keys");
    let mut rows = stored().await?;
    if rows.is_empty() {
        let missed = is_missed(db, purpose).await?;
        if !missed {
            make_first(db, master, clock.now(), purpose, trail).await?;
        }
        rows = stored().await?;
        // Where another instance has just started for the first time, it is there by now.
        if missed && rows.is_empty() {
            return Err(KeyringError::Lost(purpose_name(purpose)));
        }
    }
    let open = |row: sealed_key::Model| {
        let plain = seal::open(master, purpose_name(purpose), row.id, &row.sealed)?;
        Ok((row.id, read(&row, &plain)?))
    };
    rows.into_iter().map(open).collect()
}

/// Whether a key of this purpose must have been there.
async fn is_missed(db: &Pool, purpose: Purpose) -> Result<bool, Fault> {
    let doing = "looking for what a key has made";
    Ok(match purpose {
        // The others are made after it, but for the audit key.
        Purpose::Signing => {
            sealed_key::Entity::after_signing().one(db).await.doing(doing)?.is_some()
                || session::Entity::renewable().one(db).await.doing(doing)?.is_some()
        }
        Purpose::Refresh => session::Entity::renewable().one(db).await.doing(doing)?.is_some(),
        Purpose::Pseudonym => throttle::Entity::find().one(db).await.doing(doing)?.is_some(),
        Purpose::Audit => audit::head(db).await?.is_some(),
    })
}

/// Makes the first key of a purpose. Should another instance be faster, its key counts.
async fn make_first(
    db: &Pool,
    master: &MasterKey,
    now: Timestamp,
    purpose: Purpose,
    trail: Option<&Trail>,
) -> Result<(), KeyringError> {
    let id = KeyId::random();
    let plain = &match purpose {
        Purpose::Signing => SigningKey::generate()?,
        Purpose::Refresh | Purpose::Pseudonym | Purpose::Audit => generate_mac_key()?,
    };
    let row = &sealed_key::ActiveModel {
        id: Set(id),
        purpose: Set(purpose),
        generation: Set(1),
        sealed: Set(seal::seal(master, purpose_name(purpose), id, plain)?),
        created_at: Set(now),
    };
    let doing = "storing a key";
    write(db, doing, |transaction| async move {
        match sealed_key::Entity::insert(row.clone()).exec_without_returning(&*transaction).await {
            Err(error) if is_unique_violation(&error) => return Ok(()),
            other => other.doing(doing)?,
        };
        match (purpose, trail) {
            (Purpose::Audit, _) => {
                let trail = Trail::new(hmac::Key::new(hmac::HMAC_SHA256, plain));
                Ok(trail.begin(&transaction, now).await?)
            }
            (Purpose::Signing, Some(trail)) => {
                let made = Event::done(Kind::SigningKeyCreated, Actor::Service);
                Ok(trail.record(&transaction, made, now).await?)
            }
            _ => Ok(()),
        }
    })
    .await
}

const fn purpose_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Signing => "signing",
        Purpose::Refresh => "refresh",
        Purpose::Pseudonym => "pseudonym",
        Purpose::Audit => "audit",
    }
}
