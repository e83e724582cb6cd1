//! Queries on the audit log.

use sea_orm::{
    ActiveEnum, ColumnTrait as _, EntityTrait as _, Iterable, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _,
};

use crate::{
    clock::Timestamp,
    entity::audit_event::{self, Column, Kind, Model as Entry, Outcome},
    error::ServiceError,
    ids::{RequestId, SessionId, UserId},
    store::{Context as _, Pool},
};

/// A filter of events. An event matches if it matches every field that is set.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Events about this user.
    pub user: Option<UserId>,
    /// Events about this session.
    pub session: Option<SessionId>,
    /// Events of this request.
    pub request: Option<RequestId>,
    /// Events of this kind.
    pub kind: Option<Kind>,
    /// Events with this outcome.
    pub outcome: Option<Outcome>,
    /// Events caused by clients with this IP address.
    pub client_ip: Option<String>,
    /// Events at or after this time.
    pub since: Option<Timestamp>,
    /// Events before this time.
    pub until: Option<Timestamp>,
}

/// Returns the newest events that match, at most `limit` of them, oldest first.
pub async fn list(db: &Pool, filter: &Filter, limit: u64) -> Result<Vec<Entry>, ServiceError> {
    let query = audit_event::Entity::find()
        .apply_if(filter.user, |query, id| query.filter(Column::UserId.eq(id)))
        .apply_if(filter.session, |query, id| query.filter(Column::SessionId.eq(id)))
        .apply_if(filter.request, |query, id| query.filter(Column::RequestId.eq(id)))
        .apply_if(filter.kind, |query, kind| query.filter(Column::Kind.eq(kind.to_value())))
        .apply_if(filter.outcome, |query, outcome| query.filter(Column::Outcome.eq(outcome.to_value())))
        .apply_if(filter.client_ip.as_ref(), |query, ip| query.filter(Column::ClientIp.eq(ip)))
        .apply_if(filter.since, |query, time| query.filter(Column::OccurredAt.gte(time)))
        .apply_if(filter.until, |query, time| query.filter(Column::OccurredAt.lt(time)))
        .order_by_desc(Column::OccurredAt)
        .order_by_desc(Column::Position)
        .limit(limit);

    let mut entries = query.all(db).await.context("listing audit events")?;
    entries.reverse();
    Ok(entries)
}

/// Parses a value of an enumerated column, such as a kind or an outcome.
///
/// # Errors
/// Returns a message that lists all values.
pub fn parse_value<E: ActiveEnum<Value = String> + Iterable>(text: &str) -> Result<E, String> {
    E::try_from_value(&text.to_owned()).map_err(|_| {
        let values = E::iter().map(|value| value.to_value()).collect::<Vec<_>>();
        format!("must be one of {}", values.join(", "))
    })
}
