//! Sessions.

use sea_orm::{DeleteMany, Select, entity::prelude::*};

use crate::{
    clock::Timestamp,
    ids::{SessionId, UserId},
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
    pub expires_at: Timestamp,
    /// When it ends unless it is used before.
    pub idle_expires_at: Timestamp,
    /// The address of the client that signed in.
    pub address: String,
    /// What the client called itself, at most 256 characters.
    pub user_agent: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// This session of this account, if it is still live at `now`.
    #[must_use]
    pub fn by_owner(id: SessionId, owner: UserId, now: Timestamp) -> Select<Self> {
        Self::find()
            .filter(COLUMN.id.eq(id))
            .filter(COLUMN.user_id.eq(owner))
            .filter(Column::ExpiresAt.gt(now))
            .filter(Column::IdleExpiresAt.gt(now))
    }

    /// Removes every session of an account.
    #[must_use]
    pub fn end_all_of(owner: UserId) -> DeleteMany<Self> {
        Self::delete_many().filter(COLUMN.user_id.eq(owner))
    }
}
