//! Where the chain of audit events begins and ends.

use sea_orm::{ActiveValue::NotSet, Select, UpdateMany, entity::prelude::*};

use super::ONLY;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_head")]
/// The one row that every event is added under. Its lock puts events in their order.
pub struct Model {
    /// Always [`ONLY`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// The position of the oldest event that is kept.
    pub first_position: i64,
    /// The MAC of the event before it.
    pub first_mac: Vec<u8>,
    /// The position of the newest event; one less than the first where there is none.
    pub last_position: i64,
    /// The MAC of the newest event.
    pub last_mac: Vec<u8>,
    /// How many events stand outside the chain, because they are older than it.
    pub outside: i64,
    /// Authenticates all of that.
    pub mac: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The one row.
    #[must_use]
    pub fn only() -> Select<Self> {
        Self::find_by_id(ONLY)
    }

    /// Puts `head` in the place of the one row.
    #[must_use]
    pub fn replace(head: Model) -> UpdateMany<Self> {
        let changed = ActiveModel { id: NotSet, ..ActiveModel::from(head).reset_all() };
        Self::update_many().set(changed).filter(COLUMN.id.eq(ONLY))
    }
}
