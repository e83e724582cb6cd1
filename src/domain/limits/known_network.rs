//! Known networks: the networks from which a user has logged in with a password.

use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait as _, sea_query::OnConflict};

use super::settings::LimitSettings;
use crate::{
    clock::Timestamp,
    entity::known_network::{self, Column},
    error::ServiceError,
    ids::UserId,
    store::{Context as _, DELETE_BATCH, Transaction},
};

/// Forgets every known network of a user. After a password change, a login with the old password no longer proves that
/// a network is the user's.
pub async fn forget_networks(transaction: &Transaction, user: UserId) -> Result<(), ServiceError> {
    let delete = known_network::Entity::delete_all_of(user);
    delete.exec(transaction).await.context("forgetting known networks").map(drop)
}

/// Returns whether the user has logged in from the network within the configured lifetime.
pub(super) async fn is_known(
    connection: &impl ConnectionTrait,
    network: &str,
    settings: &LimitSettings,
    now: Timestamp,
) -> Result<bool, ServiceError> {
    let since = now - settings.known_network_lifetime;
    let found = known_network::Entity::by_network(network, since).one(connection).await;
    Ok(found.context("looking up a known network")?.is_some())
}

/// Remembers a network, in a transaction that holds the lock of the user row. If the user then has too many known
/// networks, forgets the least recently used ones.
pub(super) async fn remember_network(
    transaction: &Transaction,
    network: &str,
    user: UserId,
    settings: &LimitSettings,
    now: Timestamp,
) -> Result<(), ServiceError> {
    let context = "remembering a known network";
    let row =
        known_network::ActiveModel { network: Set(network.to_owned()), user_id: Set(user), last_login_at: Set(now) };
    let update = OnConflict::column(Column::Network).update_column(Column::LastLoginAt).to_owned();
    let insert = known_network::Entity::insert(row).on_conflict(update);
    insert.exec_without_returning(transaction).await.context(context)?;

    let older = known_network::Entity::older_of(user, settings.known_networks, DELETE_BATCH).all(transaction).await;
    let older = older.context(context)?;
    if !older.is_empty() {
        let delete = known_network::Entity::delete_all(older.into_iter().map(|row| row.network));
        delete.exec(transaction).await.context(context)?;
    }
    Ok(())
}
