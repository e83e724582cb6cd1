//! What instances agree on about time.

use sea_orm::{Select, UpdateMany, entity::prelude::*};

use super::ONLY;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "clock")]
/// How far moments and dates have come apart. There is one row, once they have.
pub struct Model {
    /// Always [`ONLY`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// How many microseconds moments are ahead of dates.
    pub ahead: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The one row.
    #[must_use]
    pub fn only() -> Select<Self> {
        Self::find_by_id(ONLY)
    }

    /// Puts `new` in the place of what was `old`, unless somebody was faster.
    #[must_use]
    pub fn replace(old: i64, new: i64) -> UpdateMany<Self> {
        Self::update_many().col_expr(Column::Ahead, Expr::value(new)).filter(COLUMN.ahead.eq(old))
    }
}
