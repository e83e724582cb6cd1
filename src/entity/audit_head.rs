//! The head of the audit log's hash chain.

use sea_orm::{ActiveValue::NotSet, Select, UpdateMany, entity::prelude::*};

/// The identifier of the only row.
pub const ONLY: i32 = 1;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_head")]
/// The only row: the beginning and the end of the chain. Every event is appended under the lock of this row, which
/// orders the events.
pub struct Model {
    /// Always [`ONLY`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// The position of the oldest event that is kept.
    pub first_position: i64,
    /// The MAC of the event before it.
    pub first_mac: Vec<u8>,
    /// The position of the newest event. One less than `first_position` if there are no events.
    pub last_position: i64,
    /// The MAC of the newest event.
    pub last_mac: Vec<u8>,
    /// The number of events that are older than the chain and outside it.
    pub outside: i64,
    /// The MAC that authenticates this row.
    pub mac: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Selects the only row.
    pub fn only() -> Select<Self> {
        Self::find_by_id(ONLY)
    }

    /// Replaces the only row.
    pub fn replace(head: Model) -> UpdateMany<Self> {
        let changed = ActiveModel { id: NotSet, ..ActiveModel::from(head).reset_all() };
        Self::update_many().set(changed).filter(COLUMN.id.eq(ONLY))
    }
}
