//! Periodic jobs that one instance runs for all. The first instance that claims a due job runs it.

use std::time::Duration;

use sea_orm::{ActiveValue::Set, EntityTrait as _};

use crate::{
    clock::Timestamp,
    entity::job,
    error::ServiceError,
    store::{Context as _, Pool, Transaction, is_unique_violation, write},
};

/// Claims a job if it is due, and makes it due again after `interval`. Returns whether this instance claimed it.
///
/// If the instance crashes or the job fails, the job runs again one interval later.
pub async fn claim(db: &Pool, name: &str, interval: Duration, now: Timestamp) -> Result<bool, ServiceError> {
    let context = "claiming a job";
    let next = now + interval;

    write(db, context, async |transaction: &Transaction| {
        let postponed = job::Entity::postpone(name, now, next).exec(transaction).await.context(context)?;
        if postponed.rows_affected > 0 {
            return Ok(true);
        }
        if job::Entity::by_name(name).one(transaction).await.context(context)?.is_some() {
            return Ok(false);
        }

        let first = job::ActiveModel { name: Set(name.to_owned()), due_at: Set(next) };
        match job::Entity::insert(first).exec_without_returning(transaction).await {
            Err(error) if is_unique_violation(&error) => Ok(false),
            outcome => outcome.context(context).map(|_| true),
        }
    })
    .await
}
