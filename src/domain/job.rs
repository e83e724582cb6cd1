//! Jobs that one instance does for all: whoever comes first when a job is due takes it.

use std::time::Duration;

use sea_orm::{ActiveValue::Set, EntityTrait};

use super::{
    App,
    fault::{Doing as _, Fault, is_unique_violation},
    transaction::write,
};
use crate::entity::job;

/// Takes a job for this instance if it is due, and makes it due again after `every`. An instance that dies with a job in
/// its hands delays it by no more than that.
///
/// # Errors
/// The database's.
pub(super) async fn take(app: &App, name: &str, every: Duration) -> Result<bool, Fault> {
    let now = app.clock.steady();
    let doing = "taking a job";
    write(&app.db, doing, |transaction| async move {
        let postponed = job::Entity::postpone(name, now, now + every).exec(&*transaction).await.doing(doing)?;
        if postponed.rows_affected > 0 {
            return Ok(true);
        }
        if job::Entity::by_name(name).one(&*transaction).await.doing(doing)?.is_some() {
            return Ok(false);
        }
        let first = job::ActiveModel { name: Set(name.to_owned()), due_at: Set(now + every) };
        match job::Entity::insert(first).exec_without_returning(&*transaction).await {
            Err(error) if is_unique_violation(&error) => Ok(false),
            other => other.doing(doing).map(|_| true),
        }
    })
    .await
}
