//! Retention: deletes old events from the beginning of the chain.

use super::log::AuditLog;
use crate::{
    clock::Timestamp,
    entity::audit_event,
    error::ServiceError,
    store::{Context as _, DELETE_BATCH, Pool, Transaction, write},
};

const CONTEXT: &str = "deleting old audit events";

/// Deletes the events that happened before `before`, and returns their number. Deletes only from the beginning of the
/// chain: an event is kept as long as any event before it in the chain is kept.
///
/// # Errors
/// Returns a [`ServiceError`] if the database fails. Earlier batches stay deleted.
pub async fn delete_old_events(db: &Pool, log: &AuditLog, before: Timestamp) -> Result<u64, ServiceError> {
    let mut deleted = 0_u64;

    // Every transaction that records an event waits for the lock of the head, so old events are searched without it.
    while audit_event::Entity::occurred_before(before).one(db).await.context(CONTEXT)?.is_some() {
        let batch =
            write(db, CONTEXT, async |transaction: &Transaction| shorten_chain(log, transaction, before).await).await?;
        deleted = deleted.saturating_add(batch);
        if batch == 0 {
            break;
        }
    }
    Ok(deleted)
}

/// Deletes one batch of old events, and moves the beginning of the chain past them.
async fn shorten_chain(log: &AuditLog, transaction: &Transaction, before: Timestamp) -> Result<u64, ServiceError> {
    let mut head = log.lock_head(transaction).await?;

    let outside: Vec<_> = audit_event::Entity::outside_before(before, DELETE_BATCH)
        .all(transaction)
        .await
        .context(CONTEXT)?
        .into_iter()
        .map(|event| event.id)
        .collect();
    let outside = audit_event::Entity::delete_by_ids(outside).exec(transaction).await.context(CONTEXT)?.rows_affected;
    head.outside = head.outside.saturating_sub(i64::try_from(outside).unwrap_or(i64::MAX)).max(0);

    let oldest = audit_event::Entity::chained_from(head.first_position, DELETE_BATCH);
    let oldest = oldest.all(transaction).await.context(CONTEXT)?;
    if let Some((position, mac)) = last_before(&oldest, before) {
        head.first_position = position.saturating_add(1);
        head.first_mac = mac;
    }
    let chained = audit_event::Entity::delete_chained_before(head.first_position);
    let chained = chained.exec(transaction).await.context(CONTEXT)?.rows_affected;

    let deleted = outside.saturating_add(chained);
    if deleted > 0 {
        log.replace_head(transaction, head).await?;
    }
    Ok(deleted)
}

/// Returns the position and MAC of the last event in an unbroken run of old events.
fn last_before(events: &[audit_event::Model], before: Timestamp) -> Option<(i64, Vec<u8>)> {
    let last = events.iter().take_while(|event| event.occurred_at < before).last()?;
    Some((last.position?, last.mac.clone()?))
}
