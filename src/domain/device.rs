//! Known devices: network addresses from which an account has signed in with its password.

use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseTransaction, EntityTrait, sea_query::OnConflict};

use super::{
    App,
    fault::{Doing as _, Fault},
    session::Client,
    throttle::{self, ThrottleSettings},
    transaction::write,
};
use crate::{clock::Moment, entity::known_device, ids::UserId};

/// How many devices go in one statement.
const BATCH: u64 = 500;

/// The keyed hash of an account and the client's network.
pub(super) fn of(app: &App, name: &str, client: &Client) -> String {
    // A network has no line break, whatever a name has.
    app.keyring.pseudonym("device", &[name, "\n", &throttle::network(client.address)].concat())
}

/// Whether the account has signed in from the device lately.
pub(super) async fn is_known(
    connection: &impl ConnectionTrait,
    device: &str,
    settings: &ThrottleSettings,
    now: Moment,
) -> Result<bool, Fault> {
    let since = now.before(settings.device_lifetime);
    let found = known_device::Entity::by_device(device, since).one(connection).await;
    Ok(found.doing("looking for a known device")?.is_some())
}

/// Makes a device known, in a transaction that holds the account's lock. Where that makes too many, the one that was
/// used least lately is forgotten.
pub(super) async fn remember(
    transaction: &DatabaseTransaction,
    device: &str,
    owner: UserId,
    settings: &ThrottleSettings,
    now: Moment,
) -> Result<(), Fault> {
    let doing = "remembering a device";
    let row =
        known_device::ActiveModel { device: Set(device.to_owned()), user_id: Set(owner), last_login_at: Set(now) };
    known_device::Entity::insert(row)
        .on_conflict(
            OnConflict::column(known_device::Column::Device)
                .update_column(known_device::Column::LastLoginAt)
                .to_owned(),
        )
        .exec_without_returning(transaction)
        .await
        .doing(doing)?;
    let older = known_device::Entity::older_of(owner, settings.known_devices, BATCH).all(transaction).await;
    let older = older.doing(doing)?;
    if !older.is_empty() {
        let devices = older.into_iter().map(|row| row.device);
        known_device::Entity::forget(devices).exec(transaction).await.doing(doing)?;
    }
    Ok(())
}

/// Forgets every device of an account: with a new password nobody has shown yet that it is known.
pub(super) async fn forget_all(transaction: &DatabaseTransaction, owner: UserId) -> Result<(), Fault> {
    known_device::Entity::forget_all_of(owner).exec(transaction).await.doing("forgetting devices").map(drop)
}

/// Removes the devices that are no longer known; answers how many.
pub(super) async fn clean_up(app: &App) -> Result<u64, Fault> {
    let since = app.clock.steady().before(app.throttle.device_lifetime);
    let doing = "clearing unused devices away";
    let mut removed = 0;
    loop {
        let unused = known_device::Entity::unused(since, BATCH).all(&app.db).await.doing(doing)?;
        let devices = &unused.into_iter().map(|row| row.device).collect::<Vec<_>>();
        let deleted = write(&app.db, doing, |transaction| async move {
            known_device::Entity::forget_unused(devices.iter().cloned(), since).exec(&*transaction).await.doing(doing)
        })
        .await?;
        removed = deleted.rows_affected.saturating_add(removed);
        if (devices.len() as u64) < BATCH {
            return Ok(removed);
        }
    }
}
