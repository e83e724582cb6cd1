//! Jobs that one instance does for all.

use sea_orm::{Condition, Select, UpdateMany, entity::prelude::*};

use crate::clock::Moment;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
/// When a job is to be done next.
pub struct Model {
    /// The job's name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// From when on an instance may take it.
    pub due_at: Moment,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The job with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Select<Self> {
        Self::find().filter(COLUMN.name.eq(name))
    }

    /// Puts a job that is due at `now` off until `next`. One that is due later than that was put off by a wrong clock,
    /// and is due too.
    #[must_use]
    pub fn postpone(name: &str, now: Moment, next: Moment) -> UpdateMany<Self> {
        Self::update_many()
            .col_expr(Column::DueAt, Expr::value(next))
            .filter(COLUMN.name.eq(name))
            .filter(Condition::any().add(Column::DueAt.lte(now)).add(Column::DueAt.gt(next)))
    }
}
