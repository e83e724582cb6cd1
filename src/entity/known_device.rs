//! Devices from which an account has signed in.

use sea_orm::{DeleteMany, QueryOrder, QuerySelect, Select, entity::prelude::*};

use crate::{clock::Moment, ids::UserId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "known_device")]
/// A network address from which an account has signed in with its password.
pub struct Model {
    /// The keyed hash of the account's name and the address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub device: String,
    /// Whose device it is.
    pub user_id: UserId,
    /// When the account last signed in from it.
    pub last_login_at: Moment,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The device, if the account signed in from it after `since`.
    #[must_use]
    pub fn by_device(device: &str, since: Moment) -> Select<Self> {
        Self::find().filter(COLUMN.device.eq(device)).filter(Column::LastLoginAt.gt(since))
    }

    /// The devices of an account beyond the `newest` ones, at most `most` of them.
    #[must_use]
    pub fn older_of(owner: UserId, newest: u64, most: u64) -> Select<Self> {
        Self::find()
            .filter(COLUMN.user_id.eq(owner))
            .order_by_desc(COLUMN.last_login_at)
            .order_by_desc(COLUMN.device)
            .offset(newest)
            .limit(most)
    }

    /// Devices from which nobody has signed in since, at most `most` of them.
    #[must_use]
    pub fn unused(since: Moment, most: u64) -> Select<Self> {
        Self::find().filter(Column::LastLoginAt.lte(since)).order_by_asc(COLUMN.last_login_at).limit(most)
    }

    /// Forgets these devices.
    #[must_use]
    pub fn forget(devices: impl IntoIterator<Item = String>) -> DeleteMany<Self> {
        Self::delete_many().filter(COLUMN.device.is_in(devices))
    }

    /// Forgets those of these devices from which nobody has signed in since.
    #[must_use]
    pub fn forget_unused(devices: impl IntoIterator<Item = String>, since: Moment) -> DeleteMany<Self> {
        Self::forget(devices).filter(Column::LastLoginAt.lte(since))
    }

    /// Forgets every device of an account.
    #[must_use]
    pub fn forget_all_of(owner: UserId) -> DeleteMany<Self> {
        Self::delete_many().filter(COLUMN.user_id.eq(owner))
    }
}
