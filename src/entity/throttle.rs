//! Throttles: how far an address or an account has gone.

use sea_orm::{QueryOrder, QuerySelect, Select, entity::prelude::*};

use crate::clock::Moment;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "throttle")]
/// The state of one throttle. It is as good as none once it has expired.
pub struct Model {
    /// The keyed hash of whom it counts, and for what.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// How many tries have failed in a row, where that is counted.
    pub failures: i64,
    /// Until when nothing is let through; of a bucket that refills, when it is full again.
    pub until: Moment,
    /// The keyed hash of the name that was tried last, where that is looked at.
    pub last: Option<String>,
    /// From when on the row means nothing.
    pub expires_at: Moment,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The throttle of this subject.
    #[must_use]
    pub fn by_subject(subject: &str) -> Select<Self> {
        Self::find().filter(COLUMN.subject.eq(subject))
    }

    /// Throttles that have expired by `now`, at most `most` of them.
    #[must_use]
    pub fn expired(now: Moment, most: u64) -> Select<Self> {
        Self::find().filter(Column::ExpiresAt.lte(now)).order_by_asc(COLUMN.expires_at).limit(most)
    }

    /// Removes those of these throttles that have expired by `now`.
    #[must_use]
    pub fn remove_expired(subjects: impl IntoIterator<Item = String>, now: Moment) -> sea_orm::DeleteMany<Self> {
        Self::delete_many().filter(COLUMN.subject.is_in(subjects)).filter(Column::ExpiresAt.lte(now))
    }
}
