//! Known networks: the networks from which users have signed in.

use sea_orm::{Condition, DeleteMany, QueryOrder, QuerySelect, Select, entity::prelude::*};

use crate::{clock::Timestamp, ids::UserId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "known_network")]
/// A network from which a user has signed in with a password.
pub struct Model {
    /// The pseudonym of the user's name and the network.
    #[sea_orm(primary_key, auto_increment = false)]
    pub network: String,
    /// The user.
    pub user_id: UserId,
    /// When the user last signed in from there.
    pub last_login_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The network, if the user signed in from it after `since`.
    pub fn by_network(network: &str, since: Timestamp) -> Select<Self> {
        Self::find().filter(COLUMN.network.eq(network)).filter(Column::LastLoginAt.gt(since))
    }

    /// The networks of a user beyond the `newest` most recently used ones, at most `limit` of them.
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
