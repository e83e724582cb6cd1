//! The sessions of the caller: list, revoke, log out.

use super::authenticate::Caller;
use crate::{
    clock::Timestamp,
    domain::{
        app::App,
        audit::{Actor, Event, Kind},
        request::Client,
        session::{MAX_PER_USER, revoke_others, revoke_session},
    },
    entity::session,
    error::ServiceError,
    ids::SessionId,
    metrics::SessionEnd,
    store::{Context as _, Transaction, write},
};

/// A live session of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// The identifier.
    pub id: SessionId,
    /// When the user logged in.
    pub created_at: Timestamp,
    /// When the session was created or last refreshed.
    pub last_used_at: Timestamp,
    /// The IP address of the client that created or last refreshed the session.
    pub client_ip: String,
    /// The user agent of that client.
    pub user_agent: Option<String>,
    /// Whether it is the session of the caller.
    pub is_current: bool,
}

/// Why a session cannot be revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeSessionError {
    /// The caller has no such live session. The error does not reveal whether another user has it.
    #[error("no such session")]
    NotFound,
    /// The error that every use case shares.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Returns the live sessions of the caller, most recently used first.
pub async fn list_sessions(app: &App, caller: &Caller) -> Result<Vec<SessionInfo>, ServiceError> {
    let query = session::Entity::live_of(caller.user.id, app.clock.now(), MAX_PER_USER);
    let rows = query.all(&app.db).await.context("listing sessions")?;

    let info = |row: session::Model| SessionInfo {
        id: row.id,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        client_ip: row.client_ip,
        user_agent: row.user_agent,
        is_current: row.id == caller.session,
    };
    Ok(rows.into_iter().map(info).collect())
}

/// Revokes the session of the caller.
pub async fn log_out(app: &App, caller: &Caller, client: &Client) -> Result<(), ServiceError> {
    let event = Event::success(Kind::Logout, Actor::Client(client)).user(Some(caller.user.id)).session(caller.session);
    let revoked = revoke_session(&app.db, &app.audit, caller.session, event, app.clock.now()).await?;
    app.metrics.record_sessions_ended(SessionEnd::User, revoked.into());
    Ok(())
}

/// Revokes one live session of the caller, which may be the current one.
pub async fn revoke_one(app: &App, caller: &Caller, client: &Client, id: SessionId) -> Result<(), RevokeSessionError> {
    let context = "revoking a session";
    let now = app.clock.now();
    let event = Event::success(Kind::SessionRevoked, Actor::Client(client)).user(Some(caller.user.id)).session(id);

    write(&app.db, context, async |transaction: &Transaction| {
        let delete = session::Entity::delete_live_of(caller.user.id, id, now);
        if delete.exec(transaction).await.context(context)?.rows_affected == 0 {
            return Err(RevokeSessionError::NotFound);
        }
        Ok(app.audit.record(transaction, event, now).await?)
    })
    .await?;
    app.metrics.record_sessions_ended(SessionEnd::User, 1);
    Ok(())
}

/// Revokes every session of the caller except the current one.
pub async fn revoke_all_others(app: &App, caller: &Caller, client: &Client) -> Result<(), ServiceError> {
    let now = app.clock.now();
    let event = Event::success(Kind::OtherSessionsRevoked, Actor::Client(client));
    let event = event.user(Some(caller.user.id)).session(caller.session);

    let revoked = write(&app.db, "revoking other sessions", async |transaction: &Transaction| {
        let revoked = revoke_others(transaction, caller.user.id, caller.session).await?;
        app.audit.record(transaction, event, now).await?;
        Ok::<_, ServiceError>(revoked)
    })
    .await?;
    app.metrics.record_sessions_ended(SessionEnd::User, revoked);
    Ok(())
}
