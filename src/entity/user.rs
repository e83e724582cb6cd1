//! Users.
//!
//! A new column needs a migration in `migration/src`, a field in [`Model`], and an initial value in
//! `src/domain/user/create.rs`. It is nullable or has a default, because an older instance inserts rows without it. If
//! callers see it, it also needs a field in `src/domain/user/record.rs` and in the responses of `src/api/account.rs`
//! and `src/cli/user.rs`.

use sea_orm::{Select, entity::prelude::*};

use crate::{clock::Timestamp, ids::UserId, secret::PasswordHash};

/// Whether a user may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum State {
    /// The user may log in.
    #[sea_orm(string_value = "active")]
    Active,
    /// An operator has disabled the user. The user has no sessions.
    #[sea_orm(string_value = "disabled")]
    Disabled,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user")]
/// A user.
pub struct Model {
    /// The identifier of the user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// The username, as the user writes it.
    pub username: String,
    /// The canonical form of the username.
    #[sea_orm(unique)]
    pub username_canonical: String,
    /// The argon2id hash as a PHC string.
    pub password_hash: PasswordHash,
    /// Whether the user may log in.
    pub state: State,
    /// When the user was created.
    pub created_at: Timestamp,
    /// When the password was last set.
    pub password_changed_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Selects the user with this canonical name.
    pub fn by_canonical_name(name: &str) -> Select<Self> {
        Self::find().filter(COLUMN.username_canonical.eq(name))
    }

    /// Selects the user with this identifier.
    pub fn by_id(id: UserId) -> Select<Self> {
        Self::find().filter(COLUMN.id.eq(id))
    }
}
