//! Looking at the trail.

use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _,
};

use super::{
    super::{
        App,
        fault::{Doing as _, Fault},
    },
    Entry, Kind, Outcome,
};
use crate::{
    clock::Timestamp,
    entity::audit_event::{self, Column},
    ids::{RequestId, SessionId, UserId},
};

/// Which events are asked for: those that fit all that is set.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those of one account.
    pub user: Option<UserId>,
    /// Those of one session.
    pub session: Option<SessionId>,
    /// Those of one request.
    pub request: Option<RequestId>,
    /// Those of one kind.
    pub kind: Option<Kind>,
    /// Those with one outcome.
    pub outcome: Option<Outcome>,
    /// Those from one address.
    pub address: Option<String>,
    /// Those that happened then or later.
    pub since: Option<Timestamp>,
    /// Those that happened before.
    pub until: Option<Timestamp>,
}

/// The newest events that fit, at most `most` of them, in the order in which they happened.
///
/// # Errors
/// The database's.
pub async fn list(app: &App, filter: &Filter, most: u64) -> Result<Vec<Entry>, Fault> {
    let found = audit_event::Entity::find()
        .apply_if(filter.user, |found, id| found.filter(Column::UserId.eq(id)))
        .apply_if(filter.session, |found, id| found.filter(Column::SessionId.eq(id)))
        .apply_if(filter.request, |found, id| found.filter(Column::RequestId.eq(id)))
        .apply_if(filter.kind, |found, kind| found.filter(Column::Kind.eq(kind.to_value())))
        .apply_if(filter.outcome, |found, outcome| found.filter(Column::Outcome.eq(outcome.to_value())))
        .apply_if(filter.address.as_ref(), |found, address| found.filter(Column::Address.eq(address)))
        .apply_if(filter.since, |found, date| found.filter(Column::OccurredAt.gte(date)))
        .apply_if(filter.until, |found, date| found.filter(Column::OccurredAt.lt(date)))
        .order_by_desc(Column::OccurredAt)
        .order_by_desc(Column::Position)
        .limit(most);
    let mut entries = found.all(&app.db).await.doing("listing audit events")?;
    entries.reverse();
    Ok(entries)
}
