//! Rate limits: the state of a token bucket, or the failed login attempts of a user.

use sea_orm::{Condition, Select, entity::prelude::*};

use crate::clock::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rate_limit")]
/// The state of one rate limit. An expired row counts as missing.
pub struct Model {
    /// The pseudonym of the purpose, and of the client or user that the row counts for.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// The number of consecutive failed login attempts. Zero in a token bucket.
    pub failures: i64,
    /// When attempts are allowed again. In a token bucket, when the bucket is full again.
    pub until: Timestamp,
    /// In the token bucket of a client, the pseudonym of the username in the last login attempt.
    pub last_name: Option<String>,
    /// When the row expires.
    pub expires_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Selects the row of this subject.
    pub fn by_subject(subject: &str) -> Select<Self> {
        Self::find().filter(COLUMN.subject.eq(subject))
    }

    /// Matches the rows that have expired by `now`.
    pub fn expired(now: Timestamp) -> Condition {
        Condition::all().add(Column::ExpiresAt.lte(now))
    }
}
