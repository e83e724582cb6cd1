//! The keys in the database: opened with the master key, created at the first start, and never replaced silently.

use aws_lc_rs::hmac;
use sea_orm::{ActiveValue::Set, EntityTrait as _, PaginatorTrait as _};
use zeroize::Zeroizing;

use super::{
    keyring::{KeySet, Keyring},
    keys::{SigningKey, generate_mac_key, parse_mac_key},
    sealing::{UnsealError, seal, unseal},
};
use crate::{
    clock::Timestamp,
    entity::{
        audit_head, known_network, rate_limit,
        sealed_key::{self, Purpose},
        session,
    },
    error::ServiceError,
    ids::KeyId,
    secret::MasterKey,
    store::{Context as _, Pool, Transaction, is_unique_violation},
};

/// Why the stored keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The master key is not the one that sealed the keys.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
    /// The master key opens the row, but the row does not contain a valid key.
    #[error("the key {0} in the database is damaged")]
    Damaged(KeyId),
    /// A key is missing although rows that depend on it still exist.
    #[error("the {0} key is missing from the database, which contains data that depends on it")]
    Lost(&'static str),
    /// Another instance has created the keys at the same time.
    #[error("another instance has just created the keys")]
    CreatedByAnother,
    /// The database or the random generator failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// The keys in the database. A purpose has no keys before the first start.
#[derive(Debug)]
pub struct StoredKeys {
    signing: Vec<(KeyId, SigningKey)>,
    refresh: Vec<(KeyId, hmac::Key)>,
    pseudonym: Vec<(KeyId, hmac::Key)>,
    audit: Vec<(KeyId, hmac::Key)>,
}

impl StoredKeys {
    /// Reads and opens every key.
    ///
    /// # Errors
    /// Returns a [`KeyringError`] if a key cannot be opened. Such a key is never replaced, because a new key would
    /// silently invalidate everything that depends on the old one.
    pub async fn load(db: &Pool, master: &MasterKey) -> Result<Self, KeyringError> {
        Ok(Self {
            signing: load_keys(db, master, Purpose::Signing, SigningKey::parse).await?,
            refresh: load_keys(db, master, Purpose::Refresh, |_, bytes| parse_mac_key(bytes)).await?,
            pseudonym: load_keys(db, master, Purpose::Pseudonym, |_, bytes| parse_mac_key(bytes)).await?,
            audit: load_keys(db, master, Purpose::Audit, |_, bytes| parse_mac_key(bytes)).await?,
        })
    }

    /// Returns the purposes that have no key.
    pub fn missing(&self) -> Vec<Purpose> {
        let empty = [
            (Purpose::Audit, self.audit.is_empty()),
            (Purpose::Signing, self.signing.is_empty()),
            (Purpose::Refresh, self.refresh.is_empty()),
            (Purpose::Pseudonym, self.pseudonym.is_empty()),
        ];
        empty.into_iter().filter_map(|(purpose, is_empty)| is_empty.then_some(purpose)).collect()
    }

    /// Returns the active key of the audit log, if any.
    pub fn audit_key(&self) -> Option<&hmac::Key> {
        self.audit.last().map(|(_, key)| key)
    }

    /// Returns the keyring, or `None` if a purpose has no key.
    pub fn into_keyring(self) -> Option<Keyring> {
        let published = self.signing.iter().map(|(_, key)| key.published().clone()).collect();
        Some(Keyring {
            signing: KeySet::new(self.signing)?,
            refresh: KeySet::new(self.refresh)?,
            pseudonym: KeySet::new(self.pseudonym)?,
            audit: KeySet::new(self.audit)?,
            published,
        })
    }
}

/// A generated key that is not stored yet.
pub struct NewKey {
    purpose: Purpose,
    plain: Zeroizing<Vec<u8>>,
    row: sealed_key::ActiveModel,
}

impl NewKey {
    /// Generates and seals the first key of a purpose.
    ///
    /// # Errors
    /// Returns a [`KeyringError`] if the random generator or the cipher fails.
    pub fn generate(purpose: Purpose, master: &MasterKey, now: Timestamp) -> Result<Self, KeyringError> {
        let id = KeyId::random();
        let plain = match purpose {
            Purpose::Signing => SigningKey::generate()?,
            Purpose::Refresh | Purpose::Pseudonym | Purpose::Audit => generate_mac_key()?,
        };
        let row = sealed_key::ActiveModel {
            id: Set(id),
            purpose: Set(purpose),
            generation: Set(1),
            sealed: Set(seal(master, purpose_name(purpose), id, &plain)?),
            created_at: Set(now),
        };
        Ok(Self { purpose, plain, row })
    }

    /// Returns whether the key signs access tokens.
    pub fn is_signing_key(&self) -> bool {
        self.purpose == Purpose::Signing
    }

    /// Returns the key if it belongs to the audit log.
    pub fn audit_key(&self) -> Option<hmac::Key> {
        if self.purpose == Purpose::Audit { parse_mac_key(&self.plain) } else { None }
    }

    /// Stores the key.
    pub async fn insert(&self, transaction: &Transaction) -> Result<(), KeyringError> {
        match sealed_key::Entity::insert(self.row.clone()).exec_without_returning(transaction).await {
            Err(error) if is_unique_violation(&error) => Err(KeyringError::CreatedByAnother),
            outcome => Ok(outcome.context("storing a key").map(drop)?),
        }
    }
}

/// Checks that none of the missing keys has been used.
///
/// # Errors
/// Returns [`KeyringError::Lost`] if a missing key has been used. It must not be replaced.
pub async fn check_never_used(db: &Pool, missing: &[Purpose]) -> Result<(), KeyringError> {
    for purpose in missing {
        if has_been_used(db, *purpose).await? {
            return Err(KeyringError::Lost(purpose_name(*purpose)));
        }
    }
    Ok(())
}

/// Returns whether the database contains the active keys of `keyring`. After a reset, or in a restored backup, it
/// contains other keys.
pub async fn are_stored(db: &Pool, keyring: &Keyring) -> Result<bool, ServiceError> {
    let ids = keyring.active_ids();
    let stored = sealed_key::Entity::of(ids).count(db).await.context("reading the identifiers of the keys")?;
    Ok(stored == ids.len() as u64)
}

/// Returns whether the database contains any sealed key. If so, the master key is required.
pub async fn has_sealed_keys(db: &Pool) -> Result<bool, ServiceError> {
    Ok(sealed_key::Entity::find().one(db).await.context("reading the keys")?.is_some())
}

/// Reads the keys of a purpose, oldest first.
async fn load_keys<K>(
    db: &Pool,
    master: &MasterKey,
    purpose: Purpose,
    parse: impl Fn(KeyId, &[u8]) -> Option<K>,
) -> Result<Vec<(KeyId, K)>, KeyringError> {
    let rows = sealed_key::Entity::keys_of(purpose).all(db).await.context("reading the keys")?;
    let open = |row: sealed_key::Model| {
        let plain = unseal(master, purpose_name(purpose), row.id, &row.sealed)?;
        let key = parse(row.id, &plain).ok_or(KeyringError::Damaged(row.id))?;
        Ok((row.id, key))
    };
    rows.into_iter().map(open).collect()
}

/// Returns whether there are rows that depend on a key of this purpose.
async fn has_been_used(db: &Pool, purpose: Purpose) -> Result<bool, ServiceError> {
    let context = "checking whether a key has been used";
    Ok(match purpose {
        // The first refresh and pseudonym keys are created together with the signing key.
        Purpose::Signing => {
            sealed_key::Entity::created_with_signing().one(db).await.context(context)?.is_some()
                || session::Entity::find().one(db).await.context(context)?.is_some()
        }
        Purpose::Refresh => session::Entity::find().one(db).await.context(context)?.is_some(),
        Purpose::Pseudonym => {
            rate_limit::Entity::find().one(db).await.context(context)?.is_some()
                || known_network::Entity::find().one(db).await.context(context)?.is_some()
        }
        Purpose::Audit => audit_head::Entity::only().one(db).await.context(context)?.is_some(),
    })
}

/// Returns the name of a purpose, which the seal authenticates.
const fn purpose_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Signing => "signing",
        Purpose::Refresh => "refresh",
        Purpose::Pseudonym => "pseudonym",
        Purpose::Audit => "audit",
    }
}
