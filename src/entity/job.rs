//! Periodic jobs that one instance runs for all.

use sea_orm::{Condition, Select, UpdateMany, entity::prelude::*};

use crate::clock::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
/// The schedule of a job.
pub struct Model {
    /// The name of the job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// When an instance may claim the job again.
    pub due_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Selects the job with this name.
    pub fn by_name(name: &str) -> Select<Self> {
        Self::find().filter(COLUMN.name.eq(name))
    }

    /// Postpones a job that is due at `now` until `next`. A job that is due after `next` also counts as due: it was
    /// postponed before the clock stepped back.
    pub fn postpone(name: &str, now: Timestamp, next: Timestamp) -> UpdateMany<Self> {
        Self::update_many()
            .col_expr(Column::DueAt, Expr::value(next))
            .filter(COLUMN.name.eq(name))
            .filter(Condition::any().add(Column::DueAt.lte(now)).add(Column::DueAt.gt(next)))
    }
}
