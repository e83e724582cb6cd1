//! Rate limit rows, read and written under their locks.

use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _, IntoActiveModel as _, QuerySelect as _,
    sea_query::OnConflict,
};

use crate::{
    clock::Timestamp,
    entity::rate_limit::{self, Column},
    error::ServiceError,
    store::{Context as _, Transaction},
};

/// Locks and reads the row of a subject. Returns a new row if it is missing or has expired.
pub(super) async fn lock_row(
    transaction: &Transaction,
    subject: &str,
    now: Timestamp,
) -> Result<rate_limit::Model, ServiceError> {
    let context = "reading a rate limit";
    let new =
        rate_limit::Model { subject: subject.to_owned(), failures: 0, until: now, last_name: None, expires_at: now };

    // Updating an existing row to its own value locks it, so that no other transaction can delete it before it is
    // read.
    let update_nothing = OnConflict::column(Column::Subject).update_column(Column::Subject).to_owned();
    let insert = rate_limit::Entity::insert(new.clone().into_active_model()).on_conflict(update_nothing);
    insert.exec_without_returning(transaction).await.context(context)?;

    let row = rate_limit::Entity::by_subject(subject).lock_exclusive().one(transaction).await.context(context)?;
    Ok(row.filter(|row| row.expires_at > now).unwrap_or(new))
}

/// Stores a row that [`lock_row`] returned.
pub(super) async fn store_row(transaction: &Transaction, row: rate_limit::Model) -> Result<(), ServiceError> {
    let changed = rate_limit::ActiveModel {
        subject: sea_orm::ActiveValue::Unchanged(row.subject),
        failures: Set(row.failures),
        until: Set(row.until),
        last_name: Set(row.last_name),
        expires_at: Set(row.expires_at),
    };
    changed.update(transaction).await.context("storing a rate limit").map(drop)
}
