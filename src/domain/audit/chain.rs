//! The chain: events are added at its end under the lock of its head, and taken off its beginning when they are old.

use std::fmt;

use aws_lc_rs::hmac;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel as _, PaginatorTrait, QuerySelect as _,
};

use super::{
    super::{
        App,
        fault::{Doing as _, Fault},
        transaction::write,
    },
    Actor, Event, Kind,
};
use crate::{
    clock::Timestamp,
    entity::{ONLY, audit_event, audit_head},
};

/// How many old events go in one transaction.
const CLEAN_UP_BATCH: u64 = 500;
/// What stands before the first event.
const NOTHING: [u8; 32] = [0; 32];

/// What adds events to the chain, and knows the ones that it has added.
pub struct Trail {
    key: hmac::Key,
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trail([REDACTED])")
    }
}

impl Trail {
    /// The trail whose MACs this key makes.
    pub(in super::super) const fn new(key: hmac::Key) -> Self {
        Self { key }
    }

    /// Begins a chain, in the transaction that stores its key. Events that are there already stand outside.
    ///
    /// # Errors
    /// The database's.
    pub(in super::super) async fn begin(&self, transaction: &DatabaseTransaction, now: Timestamp) -> Result<(), Fault> {
        let doing = "beginning the audit trail";
        let older = audit_event::Entity::outside().count(transaction).await.doing(doing)?;
        let head = self.sealed(audit_head::Model {
            id: ONLY,
            first_position: 1,
            first_mac: NOTHING.to_vec(),
            last_position: 0,
            last_mac: NOTHING.to_vec(),
            outside: i64::try_from(older).unwrap_or(i64::MAX),
            mac: Vec::new(),
        });
        audit_head::Entity::insert(head.into_active_model()).exec_without_returning(transaction).await.doing(doing)?;
        self.record(transaction, Event::done(Kind::TrailBegun, Actor::Service), now).await
    }

    /// Notes an event in the transaction of what it tells, as the last of its writes: from here to its end, all others
    /// who have something to note wait.
    ///
    /// # Errors
    /// The database's. [`Fault::Internal`] when the head is gone: what cannot be noted is not done.
    pub(in super::super) async fn record(
        &self,
        transaction: &DatabaseTransaction,
        event: Event<'_>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let doing = "recording an audit event";
        let head = locked(transaction).await?.ok_or_else(|| Fault::internal(doing, "the audit trail has no head"))?;
        let position = head.last_position.saturating_add(1);
        let mut row = audit_event::Model { position: Some(position), ..event.row(now) };
        let mac = self.link(&head.last_mac, &row);
        row.mac = Some(mac.clone());
        audit_event::Entity::insert(row.into_active_model()).exec_without_returning(transaction).await.doing(doing)?;
        self.store(transaction, audit_head::Model { last_position: position, last_mac: mac, ..head }).await
    }

    /// The MAC of an event that follows the one with the MAC `before`.
    pub(super) fn link(&self, before: &[u8], event: &audit_event::Model) -> Vec<u8> {
        let position = event.position.map(i64::to_be_bytes);
        let occurred_at = event.occurred_at.micros().to_be_bytes();
        self.mac(&[
            Some(b"event"),
            Some(before),
            position.as_ref().map(<[u8; 8]>::as_slice),
            Some(event.id.as_bytes()),
            Some(&occurred_at),
            Some(event.actor.as_bytes()),
            Some(event.kind.as_bytes()),
            Some(event.outcome.as_bytes()),
            event.reason.as_ref().map(String::as_bytes),
            event.user_id.as_ref().map(|id| id.as_bytes().as_slice()),
            event.session_id.as_ref().map(|id| id.as_bytes().as_slice()),
            event.address.as_ref().map(String::as_bytes),
            event.request_id.as_ref().map(|id| id.as_bytes().as_slice()),
        ])
    }

    /// The head with its MAC.
    pub(super) fn sealed(&self, head: audit_head::Model) -> audit_head::Model {
        let mac = self.mac(&[
            Some(b"head"),
            Some(&head.first_position.to_be_bytes()),
            Some(&head.first_mac),
            Some(&head.last_position.to_be_bytes()),
            Some(&head.last_mac),
            Some(&head.outside.to_be_bytes()),
        ]);
        audit_head::Model { mac, ..head }
    }

    /// One MAC over several fields, each with its length, so that no two lists of fields read the same.
    fn mac(&self, fields: &[Option<&[u8]>]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key);
        for field in fields {
            match field {
                Some(bytes) => {
                    context.update(&[1]);
                    context.update(&(bytes.len() as u64).to_be_bytes());
                    context.update(bytes);
                }
                None => context.update(&[0]),
            }
        }
        context.sign().as_ref().to_vec()
    }

    async fn store(&self, transaction: &DatabaseTransaction, head: audit_head::Model) -> Result<(), Fault> {
        let stored = audit_head::Entity::replace(self.sealed(head)).exec(transaction).await;
        stored.doing("storing the head of the audit trail").map(drop)
    }
}

/// The head of the chain, if there is one.
///
/// # Errors
/// The database's.
pub(in super::super) async fn head(connection: &impl ConnectionTrait) -> Result<Option<audit_head::Model>, Fault> {
    audit_head::Entity::only().one(connection).await.doing("reading the head of the audit trail")
}

/// Takes all events out of a chain whose key is lost, and notes that, in the transaction that removes the key.
///
/// # Errors
/// The database's.
pub(in super::super) async fn give_up(transaction: &DatabaseTransaction, now: Timestamp) -> Result<(), Fault> {
    let doing = "giving up the audit trail";
    audit_event::Entity::unchain().exec(transaction).await.doing(doing)?;
    audit_head::Entity::delete_many().exec(transaction).await.doing(doing)?;
    let row = Event::done(Kind::KeysReset, Actor::Operator).row(now);
    audit_event::Entity::insert(row.into_active_model()).exec_without_returning(transaction).await.doing(doing)?;
    Ok(())
}

/// Removes the events that are older than they are kept; answers how many. The chain is shortened from its beginning
/// alone, so an event goes only when all before it do.
///
/// # Errors
/// The database's.
pub(in super::super) async fn clean_up(app: &App) -> Result<u64, Fault> {
    let before = app.clock.now().before(app.audit.retention);
    let doing = "clearing old audit events away";
    let mut removed = 0_u64;
    // Who holds the chain holds up whatever is to be recorded, so it is left alone while there is nothing old.
    while audit_event::Entity::before(before).one(&app.db).await.doing(doing)?.is_some() {
        let trail = app.keyring.trail();
        let shortened =
            write(&app.db, doing, |transaction| async move { shorten(trail, &transaction, before).await }).await?;
        removed = removed.saturating_add(shortened);
        if shortened == 0 {
            break;
        }
    }
    Ok(removed)
}

async fn shorten(trail: &Trail, transaction: &DatabaseTransaction, before: Timestamp) -> Result<u64, Fault> {
    let doing = "clearing old audit events away";
    let Some(head) = locked(transaction).await? else { return Ok(0) };
    let oldest = audit_event::Entity::chained(head.first_position, CLEAN_UP_BATCH);
    let oldest = oldest.all(transaction).await.doing(doing)?;
    let last = oldest.iter().take_while(|event| event.occurred_at < before).last();
    let (first_position, first_mac) = match last {
        Some(event) => (
            event.position.map_or(head.first_position, |at| at.saturating_add(1)),
            event.mac.clone().unwrap_or_default(),
        ),
        None => (head.first_position, head.first_mac.clone()),
    };
    let outside =
        audit_event::Entity::remove_outside_before(before).exec(transaction).await.doing(doing)?.rows_affected;
    let chained =
        audit_event::Entity::remove_older_than(first_position).exec(transaction).await.doing(doing)?.rows_affected;
    let removed = outside.saturating_add(chained);
    if removed > 0 {
        let left = head.outside.saturating_sub(i64::try_from(outside).unwrap_or(i64::MAX)).max(0);
        trail.store(transaction, audit_head::Model { first_position, first_mac, outside: left, ..head }).await?;
    }
    Ok(removed)
}

/// The head under its lock, which whoever holds it holds to the end of the transaction.
async fn locked(transaction: &DatabaseTransaction) -> Result<Option<audit_head::Model>, Fault> {
    audit_head::Entity::only().lock_exclusive().one(transaction).await.doing("locking the head of the audit trail")
}
