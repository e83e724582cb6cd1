//! Reading and locking users.

use sea_orm::{EntityTrait as _, QueryOrder as _, QuerySelect as _};

use super::record::User;
use crate::{
    entity::user::{COLUMN, Entity, Model},
    error::ServiceError,
    ids::UserId,
    store::{Context as _, Pool, Transaction},
};

/// Returns the user with this identifier.
pub async fn find_by_id(db: &Pool, id: UserId) -> Result<Option<Model>, ServiceError> {
    Entity::by_id(id).one(db).await.context("looking up a user")
}

/// Returns the user with this canonical name.
pub async fn find_by_name(db: &Pool, canonical: &str) -> Result<Option<Model>, ServiceError> {
    Entity::by_canonical_name(canonical).one(db).await.context("looking up a user")
}

/// Returns every user, ordered by canonical name.
pub async fn list_users(db: &Pool) -> Result<Vec<User>, ServiceError> {
    let rows = Entity::find().order_by_asc(COLUMN.username_canonical).all(db).await.context("listing users")?;
    Ok(rows.into_iter().map(User::from).collect())
}

/// Locks and reads the row of a user.
///
/// Every transaction that changes the row locks it before any other row, so that no two of them deadlock.
pub async fn lock_user(transaction: &Transaction, id: UserId) -> Result<Option<Model>, ServiceError> {
    Entity::by_id(id).lock_exclusive().one(transaction).await.context("locking a user")
}

/// Locks the row of a user and checks that it has not changed since it was read.
///
/// Hashing takes tens of milliseconds, so the user may have been disabled, deleted or given a new password in the
/// meantime. In these cases, returns `None`.
pub async fn lock_if_unchanged(transaction: &Transaction, seen: &Model) -> Result<Option<Model>, ServiceError> {
    let current = lock_user(transaction, seen.id).await?;
    Ok(current.filter(|row| row.state == seen.state && row.password_changed_at == seen.password_changed_at))
}
