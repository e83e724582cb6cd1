//! Verification: compares the audit log with its MACs.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::PaginatorTrait as _;

use super::{
    chain_walk::ChainWalk,
    finding::{Finding, MAX_FINDINGS},
    log::{AuditLog, read_head},
};
use crate::{
    entity::{audit_event, audit_head},
    error::ServiceError,
    store::{Context as _, Pool},
};

/// The number of events that are read at once.
const BATCH: u64 = 500;
const CONTEXT: &str = "reading audit events";

/// The result of a verification.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// The number of events that were checked.
    pub events: u64,
    /// The position of the oldest event.
    pub first: i64,
    /// The position of the newest event.
    pub last: i64,
    /// The MAC of the newest event in base64url. Operators should record it elsewhere, with its position.
    pub last_mac: String,
    /// The number of events that are older than the chain and not protected by it.
    pub outside: u64,
    /// The differences, at most 100. Empty if the log was not altered.
    pub findings: Vec<Finding>,
}

/// Reads the whole chain and checks every event. Other instances may append events and delete old ones in the meantime.
pub async fn verify(db: &Pool, log: &AuditLog) -> Result<Verification, ServiceError> {
    let Some(head) = read_head(db).await? else {
        return Ok(Verification { findings: vec![Finding::HeadRemoved], ..Verification::default() });
    };

    let mut walk = ChainWalk::new(log.key(), &head);
    walk_chain(db, &mut walk).await?;
    let (outside, around) = check_around(db, log, &head).await?;

    let first_kept = read_head(db).await?.map_or(head.first_position, |head| head.first_position);
    let findings = walk.findings.iter().chain(&around).filter_map(|finding| finding.after_cleanup(first_kept));
    Ok(Verification {
        events: walk.events,
        first: head.first_position,
        last: head.last_position,
        last_mac: URL_SAFE_NO_PAD.encode(&head.last_mac),
        outside,
        findings: findings.take(MAX_FINDINGS).collect(),
    })
}

async fn walk_chain(db: &Pool, walk: &mut ChainWalk<'_>) -> Result<(), ServiceError> {
    while walk.next <= walk.last {
        let from = walk.next;
        match audit_event::Entity::chained_from(from, BATCH).all(db).await.context(CONTEXT) {
            Ok(events) if events.is_empty() => break,
            Ok(events) => events.iter().for_each(|event| walk.check(event)),
            Err(ServiceError::Internal { .. }) => walk_one_by_one(db, walk, from).await?,
            Err(error) => return Err(error),
        }
    }
    walk.finish();
    Ok(())
}

/// Walks a batch that contains an unreadable event, one event at a time, to find it.
async fn walk_one_by_one(db: &Pool, walk: &mut ChainWalk<'_>, from: i64) -> Result<(), ServiceError> {
    let end = from.saturating_add(BATCH.cast_signed()).min(walk.last.saturating_add(1));
    for position in from..end {
        match audit_event::Entity::by_position(position).one(db).await.context(CONTEXT) {
            Ok(event) => event.iter().for_each(|event| walk.check(event)),
            Err(ServiceError::Internal { .. }) => walk.report_unreadable(position),
            Err(error) => return Err(error),
        }
    }
    walk.skip_to(end);
    Ok(())
}

/// Checks the head, and the events before the beginning, after the end and outside the chain. Returns the number of
/// events outside the chain, and the findings.
async fn check_around(
    db: &Pool,
    log: &AuditLog,
    head: &audit_head::Model,
) -> Result<(u64, Vec<Finding>), ServiceError> {
    let mut findings = Vec::new();
    if !log.is_authentic(head) {
        findings.push(Finding::HeadAltered);
    }

    let before = audit_event::Entity::chained_before(head.first_position).count(db).await.context(CONTEXT)?;
    let after = audit_event::Entity::positions_after(head.last_position).into_tuple::<i64>().all(db).await;
    let after = after.context(CONTEXT)?;
    // Read after the events, so that it covers events that were appended in the meantime.
    let Some(later_head) = read_head(db).await? else {
        findings.push(Finding::HeadRemoved);
        return Ok((0, findings));
    };
    let after = after.into_iter().filter(|position| *position > later_head.last_position).count() as u64;
    if before.saturating_add(after) > 0 {
        findings.push(Finding::Added(before.saturating_add(after)));
    }

    let outside = audit_event::Entity::outside().count(db).await.context(CONTEXT)?;
    // If the head still has the same count, the cleanup has not deleted such events in the meantime.
    let unchanged = read_head(db).await?.is_some_and(|last_head| last_head.outside == later_head.outside);
    if unchanged && i64::try_from(outside) != Ok(later_head.outside) {
        findings.push(Finding::Outside(outside, later_head.outside));
    }
    Ok((outside, findings))
}
