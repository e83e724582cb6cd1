//! Session rows.

use sea_orm::{EntityTrait as _, IntoActiveModel as _};

use super::settings::{MAX_PER_USER, SessionSettings};
use crate::{
    clock::Timestamp,
    domain::{
        audit::{AuditLog, Event},
        request::Client,
    },
    entity::{session, user},
    error::ServiceError,
    ids::{SessionId, UserId},
    secret::{SecretDigest, SessionSecret},
    store::{Context as _, Pool, Transaction, delete_in_batches, write},
};

/// A session that was just opened.
#[derive(Debug)]
pub struct OpenedSession {
    /// The row of the session.
    pub session: session::Model,
    /// The number of older sessions of the user that were revoked for it.
    pub displaced: u64,
}

/// Opens a session, in a transaction that holds the lock of the user row. If the user would have too many sessions,
/// revokes the oldest ones.
pub async fn open_session(
    transaction: &Transaction,
    settings: &SessionSettings,
    user: UserId,
    client: &Client,
    secret: &SessionSecret,
    now: Timestamp,
) -> Result<OpenedSession, ServiceError> {
    let context = "opening a session";
    let kept = settings.max_per_user.saturating_sub(1);
    let oldest = session::Entity::older_of(user, now, kept, MAX_PER_USER).all(transaction).await.context(context)?;
    let displaced = if oldest.is_empty() {
        0
    } else {
        let delete = session::Entity::delete_all(oldest.iter().map(|session| session.id));
        delete.exec(transaction).await.context(context)?.rows_affected
    };

    let session = session::Model {
        id: SessionId::random(),
        user_id: user,
        created_at: now,
        last_used_at: now,
        expires_at: now + settings.lifetime,
        idle_expires_at: now + settings.lifetime.min(settings.idle_lifetime),
        client_ip: client.ip_text(),
        user_agent: client.short_user_agent(),
        counter: 1,
        rotated_at: now,
        refreshes_until: now,
        secret_digest: SecretDigest::of(secret),
    };
    let insert = session::Entity::insert(session.clone().into_active_model());
    insert.exec_without_returning(transaction).await.context(context)?;
    Ok(OpenedSession { session, displaced })
}

/// Returns a live session and its user, if the user is active.
pub async fn find_live_session(
    db: &Pool,
    id: SessionId,
    now: Timestamp,
) -> Result<Option<(session::Model, user::Model)>, ServiceError> {
    let session = session::Entity::by_id_live(id, now).one(db).await.context("looking up a session")?;
    let Some(session) = session else { return Ok(None) };
    let user = user::Entity::by_id(session.user_id).one(db).await.context("looking up a user")?;
    Ok(user.filter(|user| user.state == user::State::Active).map(|user| (session, user)))
}

/// Revokes a session and records `event`. Returns whether the session still existed.
pub async fn revoke_session(
    db: &Pool,
    audit: &AuditLog,
    id: SessionId,
    event: Event<'_>,
    now: Timestamp,
) -> Result<bool, ServiceError> {
    let context = "revoking a session";
    write(db, context, async |transaction: &Transaction| {
        let deleted = session::Entity::delete_one(id).exec(transaction).await.context(context)?;
        let revoked = deleted.rows_affected == 1;
        if revoked {
            audit.record(transaction, event, now).await?;
        }
        Ok(revoked)
    })
    .await
}

/// Revokes every session of a user except one. Returns the number of revoked sessions.
///
/// It deletes by identifier. A deletion that searches for its rows also locks other rows that it scans, and could
/// deadlock with the transaction of another user.
pub async fn revoke_others(transaction: &Transaction, user: UserId, except: SessionId) -> Result<u64, ServiceError> {
    let context = "revoking other sessions";
    let others = session::Entity::others_of(user, except).all(transaction).await.context(context)?;
    let delete = session::Entity::delete_all(others.iter().map(|session| session.id));
    Ok(delete.exec(transaction).await.context(context)?.rows_affected)
}

/// Deletes the sessions that have expired by `now`. Returns how many.
pub async fn delete_expired_sessions(db: &Pool, now: Timestamp) -> Result<u64, ServiceError> {
    let expired = session::Entity::expired(now);
    delete_in_batches::<session::Entity>(db, "deleting expired sessions", expired).await
}
