//! Throttles: how often a password is tried, an account made, a refresh token refused. They are rows, so that they hold
//! across instances and restarts, and each is read and written under its lock, so that parallel tries are all counted.
//!
//! A try to sign in passes three of them. Its address has a bucket that refills; a try with another name than the
//! last one costs more, so that one address that tries many accounts is stopped early. Its account counts failures in a
//! row, whatever the addresses: a few are free, then each one doubles the wait. A known device, an address from which
//! this account has signed in before, is counted by itself instead, so that nobody is kept out of an account by those
//! who attack it from elsewhere. Names of no account are counted like all others.

use std::{net::IpAddr, time::Duration};

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, IntoActiveModel as _, QuerySelect as _,
    sea_query::OnConflict,
};

use super::{
    App,
    audit::Event,
    device,
    fault::{Doing as _, Fault},
    session::Client,
    transaction::write,
};
use crate::{
    clock::{Moment, TOLERANCE},
    entity::throttle,
    ids::UserId,
    metrics::RateLimit,
};

/// What a try with another name than the address's last one takes out of the address's bucket.
const NEW_NAME: u32 = 3;
/// How many expired throttles go in one transaction.
const CLEAN_UP_BATCH: u64 = 500;

/// A bucket that refills.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How much it holds.
    pub burst: u32,
    /// In what time one unit comes back.
    pub every: Duration,
}

/// How much is let through.
#[derive(Clone, Copy, Debug)]
pub struct ThrottleSettings {
    /// Tries to sign in, for each address.
    pub logins: Rate,
    /// Registrations, for each address.
    pub registrations: Rate,
    /// Refresh tokens that are refused, for each address.
    pub refused_refreshes: Rate,
    /// Refreshes, for each session.
    pub refreshes: Rate,
    /// Failures in a row without a wait, for each account and each of its known devices.
    pub free_failures: u32,
    /// The longest wait that failures cause.
    pub max_wait: Duration,
    /// After how many failures in a row an account is closed to unknown devices (NIST SP 800-63B-4 section 3.2.2).
    pub suspend_after: u32,
    /// For how long it is, and how long failures are remembered.
    pub memory: Duration,
    /// The most known devices of an account.
    pub known_devices: u64,
    /// How long a device is known after the last login from it.
    pub device_lifetime: Duration,
}

/// Too much: the same request is let through after a while, unless others come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests; the next one is let through in {} seconds", retry_after.as_secs())]
pub struct Throttled {
    /// After how long.
    pub retry_after: Duration,
}

/// Why a try is not let through.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdmitError {
    /// There were too many.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Something underneath failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A try to check a password that was let through, and is counted as a failure until it has succeeded.
#[derive(Debug)]
pub(super) struct Admitted {
    address: String,
    cost: u32,
    /// Of the account, or of its known device.
    failures: String,
    /// How many those are, this one included.
    count: i64,
    /// Until when the failures before this one made it wait.
    waited_until: Moment,
    /// Whether this one has closed its account to unknown devices, should it have failed.
    locks: bool,
    /// The keyed hash of account and address.
    device: String,
}

impl Admitted {
    /// Whether this try has closed its account to unknown devices, should it have failed.
    pub(super) const fn locks(&self) -> bool {
        self.locks
    }
}

/// Lets a try to check the password of the account called `name` through, and counts it.
///
/// # Errors
/// [`AdmitError`]; then nothing is counted.
pub(super) async fn admit(app: &App, client: &Client, name: &str, now: Moment) -> Result<Admitted, AdmitError> {
    let settings = &app.throttle;
    let network = &network(client.address);
    let tag = &subject(app, "name", name);
    let device = &device::of(app, name, client);
    let address = &subject(app, "login", network);
    let doing = "counting a try to sign in";
    // What would find no room is refused before the database is asked, which others may wait for.
    app.hashing.has_room()?;
    let _turn = app.db.turn_to_count().await.doing(doing)?;
    app.hashing.has_room()?;
    let admitted = write(&app.db, doing, |transaction| async move {
        let mut bucket = locked(&transaction, address, now).await?;
        let cost = if bucket.last.as_ref() == Some(tag) { 1 } else { NEW_NAME };
        let taken = take(&mut bucket, settings.logins, cost, now);
        bucket.last = Some(tag.clone());
        let known = device::is_known(&*transaction, device, settings, now).await?;
        let failures = if known { subject(app, "device", device) } else { account(app, name) };
        if let Err(Throttled { retry_after }) = taken {
            // Both must let the next try through.
            let row = throttle::Entity::by_subject(&failures).one(&*transaction).await.doing(doing)?;
            let other = row.map_or(Duration::ZERO, |row| left(&row, settings, !known, now));
            return Err(Throttled { retry_after: retry_after.max(other) }.into());
        }
        let mut row = locked(&transaction, &failures, now).await?;
        let waited_until = row.until;
        count_failure(&mut row, settings, !known, now)?;
        let count = row.failures;
        let locks = !known && count == i64::from(settings.suspend_after);
        store(&transaction, bucket).await?;
        store(&transaction, row).await?;
        Ok(Admitted { address: address.clone(), cost, failures, count, waited_until, locks, device: device.clone() })
    })
    .await;
    counted(app, RateLimit::Login, admitted)
}

/// Forgets the failures of a try that has succeeded, in the transaction of what it succeeded with. In every transaction
/// this comes before its device is made known: two that took these locks in different orders would wait for each other.
///
/// # Errors
/// The database's.
pub(super) async fn forgive(
    app: &App,
    transaction: &DatabaseTransaction,
    admitted: &Admitted,
    now: Moment,
) -> Result<(), Fault> {
    give_back(app, transaction, admitted, 1, now).await?;
    let doing = "forgetting failed tries";
    throttle::Entity::delete_by_id(&admitted.failures).exec(transaction).await.doing(doing)?;
    Ok(())
}

/// Makes the device of a try that has succeeded known.
///
/// # Errors
/// The database's.
pub(super) async fn remember(
    app: &App,
    transaction: &DatabaseTransaction,
    admitted: &Admitted,
    user: UserId,
    now: Moment,
) -> Result<(), Fault> {
    device::remember(transaction, &admitted.device, user, &app.throttle, now).await
}

/// Takes back a try whose password nobody looked at.
///
/// # Errors
/// The database's.
pub(super) async fn withdraw(app: &App, admitted: &Admitted) -> Result<(), Fault> {
    // Not when the try began: others may have failed meanwhile, and wait from then on.
    let now = app.clock.steady();
    write(&app.db, "taking back a try to sign in", |transaction| async move {
        give_back(app, &transaction, admitted, 0, now).await?;
        let mut row = locked(&transaction, &admitted.failures, now).await?;
        let alone = row.failures == admitted.count;
        row.failures = row.failures.saturating_sub(1).max(0);
        // Whoever has waited need not wait again.
        let until = if alone { admitted.waited_until } else { now + wait(row.failures, &app.throttle) };
        row.until = row.until.min(until);
        store(&transaction, row).await
    })
    .await
}

/// Lets one more of what is counted for each address through.
///
/// # Errors
/// [`AdmitError`]; then nothing is counted.
pub(super) async fn pass(
    app: &App,
    client: &Client,
    purpose: &'static str,
    rate: Rate,
    limit: RateLimit,
    now: Moment,
) -> Result<(), AdmitError> {
    let subject = &subject(app, purpose, &network(client.address));
    let doing = "counting requests";
    let _turn = app.db.turn_to_count().await.doing(doing)?;
    let passed = write(&app.db, doing, |transaction| async move {
        let mut bucket = locked(&transaction, subject, now).await?;
        take(&mut bucket, rate, 1, now)?;
        Ok(store(&transaction, bucket).await?)
    })
    .await;
    counted(app, limit, passed)
}

/// Counts what was too much.
fn counted<T>(app: &App, limit: RateLimit, outcome: Result<T, AdmitError>) -> Result<T, AdmitError> {
    if let Err(AdmitError::Throttled(_)) = outcome {
        app.metrics.record_rate_limited(limit);
    }
    outcome
}

/// When a bucket that was full again at `until` is full again after one more unit.
///
/// # Errors
/// [`Throttled`] when it does not hold that much.
pub(super) fn after_one_more(until: Moment, rate: Rate, now: Moment) -> Result<Moment, Throttled> {
    after_more(until, rate, 1, now)
}

/// Forgets the failures of an account, which opens it to all devices, and notes `event`.
///
/// # Errors
/// The database's.
pub(super) async fn unlock(app: &App, name: &str, event: Event<'_>) -> Result<(), Fault> {
    let subject = &account(app, name);
    let now = app.clock.now();
    let doing = "forgetting failed tries";
    write(&app.db, doing, |transaction| async move {
        throttle::Entity::delete_by_id(subject).exec(&*transaction).await.doing(doing)?;
        app.keyring.trail().record(&transaction, event, now).await
    })
    .await
}

/// Removes the throttles that have expired; answers how many.
///
/// # Errors
/// The database's.
pub(super) async fn clean_up(app: &App) -> Result<u64, Fault> {
    let now = app.clock.steady();
    let doing = "clearing expired throttles away";
    let mut removed = 0;
    loop {
        let expired = throttle::Entity::expired(now, CLEAN_UP_BATCH).all(&app.db).await.doing(doing)?;
        let subjects = &expired.into_iter().map(|row| row.subject).collect::<Vec<_>>();
        let deleted = write(&app.db, doing, |transaction| async move {
            let removal = throttle::Entity::remove_expired(subjects.iter().cloned(), now);
            removal.exec(&*transaction).await.doing(doing)
        })
        .await?;
        removed = deleted.rows_affected.saturating_add(removed);
        if (subjects.len() as u64) < CLEAN_UP_BATCH {
            return Ok(removed);
        }
    }
}

/// The part of an address that one subscriber has: all of an IPv4 address, 64 bits of an IPv6 address.
pub(super) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

fn subject(app: &App, purpose: &str, of: &str) -> String {
    app.keyring.pseudonym(&format!("throttle:{purpose}"), of)
}

/// Whom failures count for on any device that is not known.
fn account(app: &App, name: &str) -> String {
    subject(app, "account", name)
}

/// The row of a subject under its lock, as good as new where it has expired.
async fn locked(transaction: &DatabaseTransaction, subject: &str, now: Moment) -> Result<throttle::Model, Fault> {
    let doing = "reading a throttle";
    let fresh = throttle::Model { subject: subject.to_owned(), failures: 0, until: now, last: None, expires_at: now };
    // Where there is a row, it is changed to what it is, which locks it: nobody can remove it before it is read.
    throttle::Entity::insert(fresh.clone().into_active_model())
        .on_conflict(OnConflict::column(throttle::Column::Subject).update_column(throttle::Column::Subject).to_owned())
        .exec_without_returning(transaction)
        .await
        .doing(doing)?;
    let row = throttle::Entity::by_subject(subject).lock_exclusive().one(transaction).await.doing(doing)?;
    Ok(row.filter(|row| row.expires_at > now).unwrap_or(fresh))
}

async fn store(transaction: &DatabaseTransaction, row: throttle::Model) -> Result<(), Fault> {
    let changed = throttle::ActiveModel {
        subject: sea_orm::ActiveValue::Unchanged(row.subject),
        failures: Set(row.failures),
        until: Set(row.until),
        last: Set(row.last),
        expires_at: Set(row.expires_at),
    };
    changed.update(transaction).await.doing("storing a throttle").map(drop)
}

fn after_more(until: Moment, rate: Rate, cost: u32, now: Moment) -> Result<Moment, Throttled> {
    let emptied = now + rate.every.saturating_mul(rate.burst);
    // A bucket that is emptier than empty was written by a clock that is ahead, and says nothing.
    let until = if until > emptied + TOLERANCE { now } else { until.max(now) } + rate.every.saturating_mul(cost);
    let retry_after = until.since(emptied);
    if retry_after.is_zero() { Ok(until) } else { Err(Throttled { retry_after }) }
}

fn take(bucket: &mut throttle::Model, rate: Rate, cost: u32, now: Moment) -> Result<(), Throttled> {
    // A bucket smaller than the dearest try still lets one through when it is full.
    bucket.until = after_more(bucket.until, rate, cost.min(rate.burst), now)?;
    bucket.expires_at = bucket.until;
    Ok(())
}

/// Gives back what a try took out of its address's bucket, but for `kept`.
async fn give_back(
    app: &App,
    transaction: &DatabaseTransaction,
    admitted: &Admitted,
    kept: u32,
    now: Moment,
) -> Result<(), Fault> {
    let rate = app.throttle.logins;
    let cost = admitted.cost.min(rate.burst);
    let mut bucket = locked(transaction, &admitted.address, now).await?;
    bucket.until = bucket.until.before(rate.every.saturating_mul(cost.saturating_sub(kept)));
    bucket.expires_at = bucket.until;
    store(transaction, bucket).await
}

fn count_failure(
    row: &mut throttle::Model,
    settings: &ThrottleSettings,
    suspends: bool,
    now: Moment,
) -> Result<(), Throttled> {
    let retry_after = left(row, settings, suspends, now);
    if !retry_after.is_zero() {
        return Err(Throttled { retry_after });
    }
    row.failures = row.failures.saturating_add(1);
    let suspended = suspends && row.failures >= i64::from(settings.suspend_after);
    row.until = now + if suspended { settings.memory } else { wait(row.failures, settings) };
    row.expires_at = now + settings.memory;
    Ok(())
}

/// What is left of the wait that a row's failures cause.
fn left(row: &throttle::Model, settings: &ThrottleSettings, suspends: bool, now: Moment) -> Duration {
    let left = row.until.since(now);
    if suspends && row.failures >= i64::from(settings.suspend_after) {
        return left;
    }
    let whole = wait(row.failures, settings);
    // More than the whole of it was written by a clock that is ahead, and says nothing.
    if whole.is_zero() || left > whole.saturating_add(TOLERANCE) { Duration::ZERO } else { left }
}

/// How long the next try waits after so many failures in a row: not at all, then 1, 2, 4 … seconds.
fn wait(failures: i64, settings: &ThrottleSettings) -> Duration {
    let beyond = failures.saturating_sub(i64::from(settings.free_failures));
    let Ok(doublings) = u32::try_from(beyond) else { return Duration::ZERO };
    let seconds = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
    Duration::from_secs(seconds).min(settings.max_wait)
}
