//! Accounts.

use sea_orm::{Select, entity::prelude::*};

use crate::{clock::Timestamp, ids::UserId, secret::PasswordHash};

/// Whether an account may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum State {
    /// It may.
    #[sea_orm(string_value = "active")]
    Active,
    /// An operator closed it; it has no live session.
    #[sea_orm(string_value = "disabled")]
    Disabled,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user")]
/// An account.
pub struct Model {
    /// The account's identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// The name as it was registered.
    pub username: String,
    /// The name in its canonical form, by which it is found.
    #[sea_orm(unique)]
    pub username_canonical: String,
    /// The argon2id hash as a PHC string.
    pub password_hash: PasswordHash,
    /// Whether the account may sign in.
    pub state: State,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When its password was last set.
    pub password_changed_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The account with this canonical name.
    #[must_use]
    pub fn by_canonical_name(name: &str) -> Select<Self> {
        Self::find().filter(COLUMN.username_canonical.eq(name))
    }

    /// The account with this identifier.
    #[must_use]
    pub fn by_id(id: UserId) -> Select<Self> {
        Self::find().filter(COLUMN.id.eq(id))
    }
}
