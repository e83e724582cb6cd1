//! The keyring: all keys of the service, ready for use.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::hmac;

use super::keys::{PublicKey, SigningKey};
use crate::ids::KeyId;

/// The keys of one purpose. One key is always active.
#[derive(Debug)]
pub struct KeySet<K> {
    active: (KeyId, K),
    retired: HashMap<KeyId, K>,
}

impl<K> KeySet<K> {
    /// Creates the set from its keys, oldest first. The newest key becomes the active key. Returns `None` if there are
    /// no keys.
    pub(super) fn new(mut keys: Vec<(KeyId, K)>) -> Option<Self> {
        let active = keys.pop()?;
        Some(Self { active, retired: keys.into_iter().collect() })
    }

    /// Returns the identifier of the active key.
    pub const fn active_id(&self) -> KeyId {
        self.active.0
    }

    /// Returns the active key, which signs.
    pub const fn active(&self) -> &K {
        &self.active.1
    }

    /// Returns the key with this identifier, active or retired.
    pub fn get(&self, id: KeyId) -> Option<&K> {
        if id == self.active.0 { Some(&self.active.1) } else { self.retired.get(&id) }
    }
}

/// The keys of the service.
#[derive(Debug)]
pub struct Keyring {
    /// The keys that sign access tokens.
    pub signing: KeySet<SigningKey>,
    /// The keys that authenticate refresh tokens.
    pub refresh: KeySet<hmac::Key>,
    /// The keys that hash names and IP addresses in rate limits and known networks.
    pub pseudonym: KeySet<hmac::Key>,
    /// The keys that authenticate audit events.
    pub audit: KeySet<hmac::Key>,
    /// The public halves of the signing keys, oldest first.
    pub published: Vec<PublicKey>,
}

impl Keyring {
    /// Returns the identifiers of the active keys.
    pub(super) const fn active_ids(&self) -> [KeyId; 4] {
        [self.signing.active_id(), self.refresh.active_id(), self.pseudonym.active_id(), self.audit.active_id()]
    }
}

/// The current keyring, which can be replaced while the service is running. Clones share it.
#[derive(Clone, Debug)]
pub struct SharedKeyring(Arc<RwLock<Arc<Keyring>>>);

impl SharedKeyring {
    /// Shares a keyring.
    pub fn new(keyring: Keyring) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(keyring))))
    }

    /// Returns the current keyring. It does not change while the caller holds it.
    pub fn current(&self) -> Arc<Keyring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the current keyring.
    pub fn replace(&self, keyring: Keyring) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keyring);
    }
}
