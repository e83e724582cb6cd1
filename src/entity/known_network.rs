//! Known networks: the networks from which users have logged in.

use sea_orm::{Condition, DeleteMany, QueryOrder, QuerySelect, Select, entity::prelude::*};

use crate::{clock::Timestamp, ids::UserId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "known_network")]
/// A network from which a user has logged in with a password.
pub struct Model {
    /// The pseudonym of the username and the network.
    #[sea_orm(primary_key, auto_increment = false)]
    pub network: String,
    /// The user.
    pub user_id: UserId,
    /// When the user last logged in from the network.
    pub last_login_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Selects the network if the user has logged in from it after `since`.
    pub fn by_network(network: &str, since: Timestamp) -> Select<Self> {
        Self::find().filter(COLUMN.network.eq(network)).filter(Column::LastLoginAt.gt(since))
    }

    /// Selects the networks of a user except the `newest` most recently used ones, at most `limit` of them.
    pub fn older_of(user: UserId, newest: u64, limit: u64) -> Select<Self> {
        Self::find()
            .filter(COLUMN.user_id.eq(user))
            .order_by_desc(COLUMN.last_login_at)
            .order_by_desc(COLUMN.network)
            .offset(newest)
            .limit(limit)
    }

    /// Matches the networks without a login after `since`.
    pub fn unused_since(since: Timestamp) -> Condition {
        Condition::all().add(Column::LastLoginAt.lte(since))
    }

    /// Deletes these networks.
    pub fn delete_all(networks: impl IntoIterator<Item = String>) -> DeleteMany<Self> {
        Self::delete_many().filter(COLUMN.network.is_in(networks))
    }

    /// Deletes every network of a user.
    pub fn delete_all_of(user: UserId) -> DeleteMany<Self> {
        Self::delete_many().filter(COLUMN.user_id.eq(user))
    }
}
