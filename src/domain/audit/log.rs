//! The audit log: appends events to the chain under the lock of the head.

use std::fmt;

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use sea_orm::{ConnectionTrait, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _, QuerySelect as _};

use super::{
    event::{Actor, Event},
    mac::{event_mac, head_mac},
};
use crate::{
    clock::Timestamp,
    entity::{
        audit_event::{self, Kind},
        audit_head::{self, ONLY},
    },
    error::ServiceError,
    store::{Context as _, Transaction},
};

const HEAD_MISSING: &str = "the head is missing; restore a backup of the database, or run `vestibule keys reset`";
const HEAD_ALTERED: &str = "the head was altered; run `vestibule audit verify`, then restore a backup of the database, \
                            or run `vestibule keys reset`";

/// The previous MAC of the first event.
const NO_PREVIOUS_MAC: [u8; 32] = [0; 32];

/// The audit log, which records events.
pub struct AuditLog {
    key: hmac::Key,
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditLog([REDACTED])")
    }
}

impl AuditLog {
    /// Creates the audit log whose MACs use `key`.
    pub const fn new(key: hmac::Key) -> Self {
        Self { key }
    }

    /// Starts the chain, in the transaction that stores its key. Existing events stay outside the chain.
    pub async fn start(&self, transaction: &Transaction, now: Timestamp) -> Result<(), ServiceError> {
        let context = "starting the audit log";
        let outside = audit_event::Entity::outside().count(transaction).await.context(context)?;
        let head = self.authenticate(audit_head::Model {
            id: ONLY,
            first_position: 1,
            first_mac: NO_PREVIOUS_MAC.to_vec(),
            last_position: 0,
            last_mac: NO_PREVIOUS_MAC.to_vec(),
            outside: i64::try_from(outside).unwrap_or(i64::MAX),
            mac: Vec::new(),
        });
        let insert = audit_head::Entity::insert(head.into_active_model());
        insert.exec_without_returning(transaction).await.context(context)?;

        self.record(transaction, Event::success(Kind::AuditLogStarted, Actor::Service), now).await
    }

    /// Records an event in the transaction of its action. Call it last: until the transaction ends, every other
    /// transaction that records an event waits.
    ///
    /// # Errors
    /// Returns [`ServiceError::Internal`] if the head is missing or altered, so that no action goes unrecorded. Returns
    /// the error of the database if it fails.
    pub async fn record(
        &self,
        transaction: &Transaction,
        event: Event<'_>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let context = "recording an audit event";
        let head = self.lock_head(transaction).await?;

        let position = head.last_position.saturating_add(1);
        let mut row = audit_event::Model { position: Some(position), ..event.into_row(now) };
        let mac = event_mac(&self.key, &head.last_mac, &row);
        row.mac = Some(mac.clone());
        let insert = audit_event::Entity::insert(row.into_active_model());
        insert.exec_without_returning(transaction).await.context(context)?;

        self.replace_head(transaction, audit_head::Model { last_position: position, last_mac: mac, ..head }).await
    }

    /// Reads the head of the chain and locks it until the end of the transaction.
    ///
    /// # Errors
    /// Returns [`ServiceError::Internal`] if the head is missing or altered, because a new MAC over an altered head
    /// would authenticate the alteration. Returns the error of the database if it fails.
    pub(super) async fn lock_head(&self, transaction: &Transaction) -> Result<audit_head::Model, ServiceError> {
        let context = "locking the head of the audit log";
        let head = audit_head::Entity::only().lock_exclusive().one(transaction).await.context(context)?;
        let head = head.ok_or_else(|| ServiceError::internal(context, HEAD_MISSING))?;
        if !self.is_authentic(&head) {
            return Err(ServiceError::internal(context, HEAD_ALTERED));
        }
        Ok(head)
    }

    /// Returns whether the MAC of a head is right.
    pub(super) fn is_authentic(&self, head: &audit_head::Model) -> bool {
        verify_slices_are_equal(&head_mac(&self.key, head), &head.mac).is_ok()
    }

    /// Returns the key of the MACs.
    pub(super) const fn key(&self) -> &hmac::Key {
        &self.key
    }

    /// Authenticates and stores a new state of the head.
    pub(super) async fn replace_head(
        &self,
        transaction: &Transaction,
        head: audit_head::Model,
    ) -> Result<(), ServiceError> {
        let replace = audit_head::Entity::replace(self.authenticate(head));
        replace.exec(transaction).await.context("storing the head of the audit log").map(drop)
    }

    fn authenticate(&self, head: audit_head::Model) -> audit_head::Model {
        audit_head::Model { mac: head_mac(&self.key, &head), ..head }
    }
}

/// Returns the head of the chain, or `None` if the chain has not been started.
pub async fn read_head(connection: &impl ConnectionTrait) -> Result<Option<audit_head::Model>, ServiceError> {
    audit_head::Entity::only().one(connection).await.context("reading the head of the audit log")
}

/// Removes all events from the chain, because its key is lost. Records this in the transaction that deletes the key.
pub async fn abandon_chain(transaction: &Transaction, now: Timestamp) -> Result<(), ServiceError> {
    let context = "abandoning the chain of the audit log";
    audit_event::Entity::unchain().exec(transaction).await.context(context)?;
    audit_head::Entity::delete_many().exec(transaction).await.context(context)?;

    let event = Event::success(Kind::KeysReset, Actor::Operator).into_row(now);
    let insert = audit_event::Entity::insert(event.into_active_model());
    insert.exec_without_returning(transaction).await.context(context).map(drop)
}
