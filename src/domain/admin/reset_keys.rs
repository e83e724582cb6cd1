//! The reset of lost keys.

use sea_orm::EntityTrait as _;

use crate::{
    clock::Timestamp,
    domain::audit::abandon_chain,
    entity::{known_network, rate_limit, sealed_key, session},
    error::ServiceError,
    store::{Context as _, Pool, Transaction, write},
};

/// Deletes every key and the rows that depend on them: sessions, rate limits and known networks. After that, a new
/// master key can be configured. Users are kept, and so are audit events, outside any chain.
///
/// It works without the [`App`](crate::domain::app::App), which cannot be opened without the keys.
///
/// # Errors
/// Returns a [`ServiceError`] if the database fails. Then nothing has changed.
pub async fn reset_keys(db: &Pool, now: Timestamp) -> Result<(), ServiceError> {
    let context = "resetting the keys";
    write(db, context, async |transaction: &Transaction| {
        rate_limit::Entity::delete_many().exec(transaction).await.context(context)?;
        known_network::Entity::delete_many().exec(transaction).await.context(context)?;
        session::Entity::delete_many().exec(transaction).await.context(context)?;
        sealed_key::Entity::delete_many().exec(transaction).await.context(context)?;
        abandon_chain(transaction, now).await
    })
    .await
}
