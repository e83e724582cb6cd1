//! Audit events: written in the transaction of what they tell, so that neither is there without the other.

use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};

pub(super) use crate::entity::audit_event::Kind;

use super::{
    fault::{Doing as _, Fault},
    session::Client,
};
use crate::{
    clock::Timestamp,
    entity::{audit_event, session},
    ids::AuditEventId,
};

/// Notes what happened to a session.
///
/// # Errors
/// The database's.
pub(super) async fn record(
    connection: &impl ConnectionTrait,
    kind: Kind,
    session: &session::Model,
    client: &Client,
    now: Timestamp,
) -> Result<(), Fault> {
    let row = audit_event::ActiveModel {
        id: Set(AuditEventId::random()),
        occurred_at: Set(now),
        kind: Set(kind),
        user_id: Set(Some(session.user_id)),
        session_id: Set(Some(session.id)),
        address: Set(Some(client.address())),
    };
    audit_event::Entity::insert(row).exec_without_returning(connection).await.doing("recording an audit event")?;
    Ok(())
}
