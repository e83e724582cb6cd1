//! The keyring and the audit log: opened together, and created at the first start.

use super::error::StartError;
use crate::{
    clock::Timestamp,
    domain::{
        audit::{Actor, AuditLog, Event, Kind, read_head},
        crypto::{Keyring, KeyringError, NewKey, StoredKeys, check_never_used},
    },
    error::ServiceError,
    secret::MasterKey,
    store::{Pool, Transaction, write},
};

/// Opens every key. The first start creates the keys and starts the audit log.
///
/// Keys that are lost or cannot be opened are never replaced.
pub(super) async fn open_keys(db: &Pool, master: &MasterKey, now: Timestamp) -> Result<Keyring, StartError> {
    let stored = StoredKeys::load(db, master).await.map_err(start_error)?;
    let stored = if stored.missing().is_empty() { stored } else { create_missing(db, master, stored, now).await? };

    if read_head(db).await?.is_none() {
        return Err(StartError::LostAuditHead);
    }
    let keyring = stored.into_keyring();
    keyring.ok_or_else(|| ServiceError::internal("opening the keys", "a key is missing").into())
}

/// Opens the keys of a database that must contain all of them. Returns `None` if it does not.
pub(super) async fn open_stored_keys(db: &Pool, master: &MasterKey) -> Result<Option<Keyring>, StartError> {
    let stored = StoredKeys::load(db, master).await.map_err(start_error)?;
    Ok(stored.into_keyring())
}

/// Creates the missing keys and their audit events in one transaction.
async fn create_missing(
    db: &Pool,
    master: &MasterKey,
    stored: StoredKeys,
    now: Timestamp,
) -> Result<StoredKeys, StartError> {
    let missing = stored.missing();
    if let Err(lost) = check_never_used(db, &missing).await {
        // Another instance may have created and used the keys since they were read.
        let stored = StoredKeys::load(db, master).await.map_err(start_error)?;
        return if stored.missing().is_empty() { Ok(stored) } else { Err(start_error(lost)) };
    }

    let generate = |purpose| NewKey::generate(purpose, master, now);
    let new_keys = missing.into_iter().map(generate).collect::<Result<Vec<_>, _>>().map_err(start_error)?;
    match store_keys(db, &stored, &new_keys, now).await {
        Ok(()) | Err(KeyringError::CreatedByAnother) => StoredKeys::load(db, master).await.map_err(start_error),
        Err(error) => Err(start_error(error)),
    }
}

async fn store_keys(db: &Pool, stored: &StoredKeys, new_keys: &[NewKey], now: Timestamp) -> Result<(), KeyringError> {
    let new_audit_key = new_keys.iter().find_map(NewKey::audit_key);
    let audit_key = new_audit_key.clone().or_else(|| stored.audit_key().cloned());
    let audit_key = audit_key.ok_or_else(|| ServiceError::internal("creating keys", "there is no audit key"))?;
    let audit = AuditLog::new(audit_key);

    write(db, "creating keys", async |transaction: &Transaction| {
        for key in new_keys {
            key.insert(transaction).await?;
        }
        if new_audit_key.is_some() {
            audit.start(transaction, now).await?;
        }
        if new_keys.iter().any(NewKey::is_signing_key) {
            let created = Event::success(Kind::SigningKeyCreated, Actor::Service);
            audit.record(transaction, created, now).await?;
        }
        Ok(())
    })
    .await
}

fn start_error(error: KeyringError) -> StartError {
    match error {
        KeyringError::Service(error) => StartError::Service(error),
        lost @ (KeyringError::Lost(_) | KeyringError::Damaged(_)) => StartError::LostKey(lost),
        other => StartError::Keyring(other),
    }
}
