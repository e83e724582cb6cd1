//! Deletion of many rows in batches, for the cleanup of expired rows.

use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait, Iterable as _, PrimaryKeyToColumn as _, PrimaryKeyTrait,
    QueryFilter as _, QuerySelect as _, TryGetable, Value,
};

use super::{
    error::Context as _,
    pool::Pool,
    transaction::{Transaction, write},
};
use crate::error::ServiceError;

/// The maximum number of rows that one transaction deletes. It limits how long other writers wait.
pub const DELETE_BATCH: u64 = 500;

type KeyOf<E> = <<E as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType;

/// Deletes the rows of a table that satisfy `condition`, and returns their number. The primary key of the table must be
/// one column.
///
/// Each batch is selected first and then deleted by key, so that the deletion locks no other rows.
///
/// # Errors
/// Returns a [`ServiceError`] if the database fails. Earlier batches stay deleted.
pub async fn delete_in_batches<E>(db: &Pool, context: &'static str, condition: Condition) -> Result<u64, ServiceError>
where
    E: EntityTrait,
    KeyOf<E>: TryGetable + Into<Value> + Clone + Send + Sync,
{
    let key = E::PrimaryKey::iter().next();
    let key = key.ok_or_else(|| ServiceError::internal(context, "the table has no primary key"))?.into_column();

    let mut deleted = 0_u64;
    loop {
        let batch = E::find().select_only().column(key).filter(condition.clone()).limit(DELETE_BATCH);
        let keys: Vec<KeyOf<E>> = batch.into_tuple().all(db).await.context(context)?;
        if keys.is_empty() {
            return Ok(deleted);
        }

        let result = write(db, context, async |transaction: &Transaction| {
            // A row may have changed since it was selected.
            let batch = E::delete_many().filter(key.is_in(keys.clone())).filter(condition.clone());
            batch.exec(transaction).await.context(context)
        })
        .await?;
        deleted = deleted.saturating_add(result.rows_affected);

        if (keys.len() as u64) < DELETE_BATCH {
            return Ok(deleted);
        }
    }
}
