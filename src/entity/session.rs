//! Sessions.

use sea_orm::{Condition, DeleteMany, QueryOrder, QuerySelect, Select, UpdateMany, entity::prelude::*};

use crate::{
    clock::Timestamp,
    ids::{SessionId, UserId},
    secret::SecretDigest,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
/// A session of a user. Revoking the session deletes the row.
pub struct Model {
    /// The identifier of the session.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    /// The user who logged in.
    pub user_id: UserId,
    /// When the user logged in.
    pub created_at: Timestamp,
    /// When the session was created or last refreshed.
    pub last_used_at: Timestamp,
    /// When the session expires, even if it is refreshed.
    pub expires_at: Timestamp,
    /// When the session expires unless it is refreshed before. Never after `expires_at`.
    pub idle_expires_at: Timestamp,
    /// The IP address of the client that created or last refreshed the session.
    pub client_ip: String,
    /// The user agent of that client, cut off after 256 characters.
    pub user_agent: Option<String>,
    /// The number of the current refresh token, counted from 1.
    pub counter: i64,
    /// When the current refresh token was issued.
    pub rotated_at: Timestamp,
    /// When the token bucket of the session's refreshes is full again.
    pub refreshes_until: Timestamp,
    /// The digest of the secret in all refresh tokens of the session.
    pub secret_digest: SecretDigest,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Selects this session if it has not expired by `now`.
    pub fn by_id_live(id: SessionId, now: Timestamp) -> Select<Self> {
        Self::find().filter(COLUMN.id.eq(id)).filter(Column::IdleExpiresAt.gt(now))
    }

    /// Selects the live sessions of a user, most recently used first, at most `limit` of them.
    pub fn live_of(user: UserId, now: Timestamp, limit: u64) -> Select<Self> {
        Self::find()
            .filter(COLUMN.user_id.eq(user))
            .filter(Column::IdleExpiresAt.gt(now))
            .order_by_desc(COLUMN.last_used_at)
            .order_by_desc(COLUMN.id)
            .limit(limit)
    }

    /// Selects the live sessions of a user except the `newest` ones by creation, at most `limit` of them.
    pub fn older_of(user: UserId, now: Timestamp, newest: u64, limit: u64) -> Select<Self> {
        Self::find()
            .filter(COLUMN.user_id.eq(user))
            .filter(Column::IdleExpiresAt.gt(now))
            .order_by_desc(COLUMN.created_at)
            .order_by_desc(COLUMN.id)
            .offset(newest)
            .limit(limit)
    }

    /// Matches the sessions that have expired by `now`.
    pub fn expired(now: Timestamp) -> Condition {
        Condition::all().add(Column::IdleExpiresAt.lte(now))
    }

    /// Stores a rotated session if the previous refresh token is still the current one.
    pub fn rotate(rotated: Model) -> UpdateMany<Self> {
        Self::update_many()
            .filter(COLUMN.id.eq(rotated.id))
            .filter(COLUMN.counter.eq(rotated.counter.saturating_sub(1)))
            .col_expr(Column::Counter, Expr::value(rotated.counter))
            .col_expr(Column::RotatedAt, Expr::value(rotated.rotated_at))
            .col_expr(Column::RefreshesUntil, Expr::value(rotated.refreshes_until))
            .col_expr(Column::LastUsedAt, Expr::value(rotated.last_used_at))
            .col_expr(Column::IdleExpiresAt, Expr::value(rotated.idle_expires_at))
            .col_expr(Column::ClientIp, Expr::value(rotated.client_ip))
            .col_expr(Column::UserAgent, Expr::value(rotated.user_agent))
    }

    /// Deletes a session.
    pub fn delete_one(id: SessionId) -> DeleteMany<Self> {
        Self::delete_many().filter(COLUMN.id.eq(id))
    }

    /// Deletes these sessions.
    pub fn delete_all(ids: impl IntoIterator<Item = SessionId>) -> DeleteMany<Self> {
        Self::delete_many().filter(COLUMN.id.is_in(ids))
    }

    /// Deletes a session if it is a live session of this user.
    pub fn delete_live_of(user: UserId, id: SessionId, now: Timestamp) -> DeleteMany<Self> {
        Self::delete_one(id).filter(COLUMN.user_id.eq(user)).filter(Column::IdleExpiresAt.gt(now))
    }

    /// Deletes every session of a user.
    pub fn delete_all_of(user: UserId) -> DeleteMany<Self> {
        Self::delete_many().filter(COLUMN.user_id.eq(user))
    }

    /// Selects the sessions of a user except this one.
    pub fn others_of(user: UserId, except: SessionId) -> Select<Self> {
        Self::find().filter(COLUMN.user_id.eq(user)).filter(COLUMN.id.ne(except))
    }
}
