//! Limits on login attempts. An attempt counts as a failure until it has succeeded.

use std::time::Duration;

use sea_orm::EntityTrait as _;

use super::{
    backoff::{Scope, backoff, count_failure, remaining},
    known_network::{is_known, remember_network},
    limiter::Limits,
    row::{lock_row, store_row},
    token_bucket::{RateExceeded, put_back, take},
};
use crate::{
    clock::Timestamp,
    domain::request::Client,
    entity::rate_limit,
    error::ServiceError,
    ids::UserId,
    metrics::RateLimit,
    store::{Context as _, Pool, Transaction, write},
};

/// How many tokens an attempt costs whose name is not the client's last one.
const NEW_NAME_COST: u32 = 3;

/// A login attempt that was allowed, and has been counted.
#[derive(Debug)]
pub struct CountedAttempt {
    /// The row of the client's token bucket, and what the attempt took from it.
    bucket: String,
    cost: u32,
    /// The row of the failures of the user or the known network, and how many these are with this attempt.
    failures: String,
    count: i64,
    /// Until when the failures before this attempt rejected others.
    previous_until: Timestamp,
    /// Whether this attempt locks the user out if it fails.
    locks_out: bool,
    /// The pseudonym of the name and the client's network.
    network: String,
}

impl CountedAttempt {
    /// Returns whether this attempt locks the user out if it fails.
    pub const fn locks_out(&self) -> bool {
        self.locks_out
    }
}

impl Limits {
    /// Counts a login attempt with a name.
    ///
    /// # Errors
    /// [`ServiceError::RateLimited`] if the client or the user has made too many; then nothing is counted. The
    /// database's.
    pub async fn count_login_attempt(
        &self,
        db: &Pool,
        client: &Client,
        name: &str,
        now: Timestamp,
    ) -> Result<CountedAttempt, ServiceError> {
        let counted = write(db, "counting a login attempt", async |transaction: &Transaction| {
            self.count_login_in(transaction, client, name, now).await
        })
        .await;
        self.record_rejection(RateLimit::Login, counted)
    }

    async fn count_login_in(
        &self,
        transaction: &Transaction,
        client: &Client,
        name: &str,
        now: Timestamp,
    ) -> Result<CountedAttempt, ServiceError> {
        let settings = &self.settings;
        let name_pseudonym = self.subject("name", name);
        let network = self.network_of(name, client);

        let mut bucket = lock_row(transaction, &self.subject("login", &client.network()), now).await?;
        let cost = if bucket.last_name.as_ref() == Some(&name_pseudonym) { 1 } else { NEW_NAME_COST };
        let taken = take(bucket.until, settings.logins, cost, now);

        let (scope, failures) = if is_known(transaction, &network, settings, now).await? {
            (Scope::KnownNetwork, self.subject("known_network", &network))
        } else {
            (Scope::User, self.user_subject(name))
        };

        let full_at = match taken {
            Ok(full_at) => full_at,
            Err(exceeded) => {
                let retry_after = self.longer_wait(transaction, exceeded, &failures, scope, now).await?;
                return Err(ServiceError::RateLimited { retry_after });
            }
        };

        let mut row = lock_row(transaction, &failures, now).await?;
        let previous_until = row.until;
        count_failure(&mut row, settings, scope, now)?;
        let count = row.failures;
        let locks_out = scope == Scope::User && count == i64::from(settings.lockout_threshold);

        bucket.until = full_at;
        bucket.expires_at = full_at;
        bucket.last_name = Some(name_pseudonym);
        let attempt = CountedAttempt {
            bucket: bucket.subject.clone(),
            cost,
            failures,
            count,
            previous_until,
            locks_out,
            network,
        };
        store_row(transaction, bucket).await?;
        store_row(transaction, row).await?;
        Ok(attempt)
    }

    /// Returns when both the client and the user may make the next attempt.
    async fn longer_wait(
        &self,
        transaction: &Transaction,
        exceeded: RateExceeded,
        failures: &str,
        scope: Scope,
        now: Timestamp,
    ) -> Result<Duration, ServiceError> {
        let row = rate_limit::Entity::by_subject(failures).one(transaction).await;
        let row = row.context("reading a rate limit")?;
        let backoff = row.map_or(Duration::ZERO, |row| remaining(&row, &self.settings, scope, now));
        Ok(exceeded.retry_after.max(backoff))
    }

    /// Resets the failures after a successful attempt, in the transaction of its success.
    ///
    /// In every transaction this comes before [`Self::remember_network`]: two transactions that take these locks in
    /// different orders would wait for each other.
    pub async fn reset_failures(
        &self,
        transaction: &Transaction,
        attempt: &CountedAttempt,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        self.put_back_tokens(transaction, attempt, 1, now).await?;
        let delete = rate_limit::Entity::delete_by_id(&attempt.failures);
        delete.exec(transaction).await.context("resetting failed logins").map(drop)
    }

    /// Remembers the network of a successful attempt.
    pub async fn remember_network(
        &self,
        transaction: &Transaction,
        attempt: &CountedAttempt,
        user: UserId,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        remember_network(transaction, &attempt.network, user, &self.settings, now).await
    }

    /// Takes back an attempt whose password was not verified.
    ///
    /// `now` is the current time, not that of the attempt: others may have failed since, and wait from then on.
    pub async fn withdraw_attempt(
        &self,
        db: &Pool,
        attempt: &CountedAttempt,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        write(db, "withdrawing a login attempt", async |transaction: &Transaction| {
            self.put_back_tokens(transaction, attempt, 0, now).await?;

            let mut row = lock_row(transaction, &attempt.failures, now).await?;
            let is_last = row.failures == attempt.count;
            row.failures = row.failures.saturating_sub(1).max(0);
            // A client that has waited does not have to wait again.
            let until = if is_last { attempt.previous_until } else { now + backoff(row.failures, &self.settings) };
            row.until = row.until.min(until);
            store_row(transaction, row).await
        })
        .await
    }

    /// Ends a lockout: deletes the failures of a user, in the transaction that records it.
    pub async fn unlock(&self, transaction: &Transaction, name: &str) -> Result<(), ServiceError> {
        let delete = rate_limit::Entity::delete_by_id(self.user_subject(name));
        delete.exec(transaction).await.context("ending a lockout").map(drop)
    }

    /// Returns the row that counts failures from unknown networks.
    fn user_subject(&self, name: &str) -> String {
        self.subject("user", name)
    }

    /// Puts back what an attempt took from the client's token bucket, except `kept` tokens.
    async fn put_back_tokens(
        &self,
        transaction: &Transaction,
        attempt: &CountedAttempt,
        kept: u32,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let rate = self.settings.logins;
        let taken = attempt.cost.min(rate.burst);
        let mut bucket = lock_row(transaction, &attempt.bucket, now).await?;
        bucket.until = put_back(bucket.until, rate, taken.saturating_sub(kept));
        bucket.expires_at = bucket.until;
        store_row(transaction, bucket).await
    }
}
