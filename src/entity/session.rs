//! Sessions.

use sea_orm::{DeleteMany, QueryOrder, QuerySelect, Select, UpdateMany, entity::prelude::*};

use crate::{
    clock::{Moment, Timestamp},
    ids::{SessionId, UserId},
    secret::SecretDigest,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
/// One sign-in of one account; the row goes when the session ends.
pub struct Model {
    /// The session's identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    /// Whose session it is.
    pub user_id: UserId,
    /// When the account signed in.
    pub created_at: Timestamp,
    /// When the session was last signed into or renewed.
    pub last_used_at: Timestamp,
    /// When it ends whatever happens.
    pub expires_at: Moment,
    /// When it ends unless it is renewed before; never after `expires_at`.
    pub idle_expires_at: Moment,
    /// The address of the client that last signed in or renewed.
    pub address: String,
    /// What that client called itself, at most 256 characters.
    pub user_agent: Option<String>,
    /// Which refresh token of the session is the current one: they are counted from 1.
    pub counter: i64,
    /// When the current refresh token was made.
    pub rotated_at: Moment,
    /// When the bucket of refreshes is full again.
    pub refreshes_until: Moment,
    /// Of the secret that all refresh tokens of the session carry.
    pub secret_digest: SecretDigest,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Those that have refresh tokens, as all have that were begun since there are such tokens.
    #[must_use]
    pub fn renewable() -> Select<Self> {
        Self::find().filter(COLUMN.counter.gt(0))
    }

    /// This session, if it is still live at `now`.
    #[must_use]
    pub fn by_id_live(id: SessionId, now: Moment) -> Select<Self> {
        Self::find().filter(COLUMN.id.eq(id)).filter(Column::IdleExpiresAt.gt(now))
    }

    /// The sessions of an account that are live at `now`, the last used first, at most `most` of them.
    #[must_use]
    pub fn live_of(owner: UserId, now: Moment, most: u64) -> Select<Self> {
        Self::find()
            .filter(COLUMN.user_id.eq(owner))
            .filter(Column::IdleExpiresAt.gt(now))
            .order_by_desc(COLUMN.last_used_at)
            .order_by_desc(COLUMN.id)
            .limit(most)
    }

    /// The live sessions of an account beyond the `newest` ones, at most `most` of them.
    #[must_use]
    pub fn older_of(owner: UserId, now: Moment, newest: u64, most: u64) -> Select<Self> {
        Self::find()
            .filter(COLUMN.user_id.eq(owner))
            .filter(Column::IdleExpiresAt.gt(now))
            .order_by_desc(COLUMN.created_at)
            .order_by_desc(COLUMN.id)
            .offset(newest)
            .limit(most)
    }

    /// Sessions that have ended by `now`, at most `most` of them.
    #[must_use]
    pub fn ended(now: Moment, most: u64) -> Select<Self> {
        Self::find().filter(Column::IdleExpiresAt.lte(now)).order_by_asc(COLUMN.idle_expires_at).limit(most)
    }

    /// Renews a session to what `renewed` says, if the refresh token before its counter still is the current one.
    #[must_use]
    pub fn rotate(renewed: Model) -> UpdateMany<Self> {
        Self::update_many()
            .filter(COLUMN.id.eq(renewed.id))
            .filter(COLUMN.counter.eq(renewed.counter.saturating_sub(1)))
            .col_expr(Column::Counter, Expr::value(renewed.counter))
            .col_expr(Column::RotatedAt, Expr::value(renewed.rotated_at))
            .col_expr(Column::RefreshesUntil, Expr::value(renewed.refreshes_until))
            .col_expr(Column::LastUsedAt, Expr::value(renewed.last_used_at))
            .col_expr(Column::IdleExpiresAt, Expr::value(renewed.idle_expires_at))
            .col_expr(Column::Address, Expr::value(renewed.address))
            .col_expr(Column::UserAgent, Expr::value(renewed.user_agent))
    }

    /// Removes a session.
    #[must_use]
    pub fn end(id: SessionId) -> DeleteMany<Self> {
        Self::delete_many().filter(COLUMN.id.eq(id))
    }

    /// Removes those of these sessions that have ended by `now`.
    #[must_use]
    pub fn end_ended(ids: impl IntoIterator<Item = SessionId>, now: Moment) -> DeleteMany<Self> {
        Self::end_all(ids).filter(Column::IdleExpiresAt.lte(now))
    }

    /// Removes these sessions.
    #[must_use]
    pub fn end_all(ids: impl IntoIterator<Item = SessionId>) -> DeleteMany<Self> {
        Self::delete_many().filter(COLUMN.id.is_in(ids))
    }

    /// Removes a live session of an account.
    #[must_use]
    pub fn end_one_of(owner: UserId, id: SessionId, now: Moment) -> DeleteMany<Self> {
        Self::end(id).filter(COLUMN.user_id.eq(owner)).filter(Column::IdleExpiresAt.gt(now))
    }

    /// The sessions of an account but this one.
    #[must_use]
    pub fn others_of(owner: UserId, kept: SessionId) -> Select<Self> {
        Self::find().filter(COLUMN.user_id.eq(owner)).filter(COLUMN.id.ne(kept))
    }

    /// Removes every session of an account.
    #[must_use]
    pub fn end_all_of(owner: UserId) -> DeleteMany<Self> {
        Self::delete_many().filter(COLUMN.user_id.eq(owner))
    }
}
