//! Limits on login attempts. An attempt counts as a failure until it has succeeded.

use std::time::Duration;

use sea_orm::EntityTrait as _;

use super::{
    backoff::{Scope, backoff, count_failure, remaining},
    known_network::{is_known, remember_network},
    limiter::Limits,
    row::{lock_row, store_row},
    token_bucket::{put_back, take},
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

/// How many tokens an attempt costs if its user name differs from the client's previous one.
const NEW_NAME_COST: u32 = 3;

/// A login attempt that was allowed, and has been counted.
#[derive(Debug)]
pub struct CountedAttempt {
    /// The row of the client's token bucket, and how many tokens the attempt took from it.
    bucket_subject: String,
    cost: u32,
    /// The row that counts failures of the user or the known network, and its count including this attempt.
    failures_subject: String,
    failures: i64,
    /// When the backoff of the earlier failures ended.
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
    /// [`ServiceError::RateLimited`] if the client or the user has made too many; then nothing is counted.
    pub async fn count_login_attempt(
        &self,
        db: &Pool,
        client: &Client,
        name: &str,
        now: Timestamp,
    ) -> Result<CountedAttempt, ServiceError> {
        let counted = write(db, "counting a login attempt", async |transaction: &Transaction| {
            let (bucket, cost) = self.lock_bucket(transaction, client, name, now).await?;
            self.charge(transaction, bucket, cost, client, name, now).await
        })
        .await;
        self.count_rejection(RateLimit::Login, counted)
    }

    /// Locks the token bucket of a client. Returns it with the cost of the attempt, which is not taken yet.
    async fn lock_bucket(
        &self,
        transaction: &Transaction,
        client: &Client,
        name: &str,
        now: Timestamp,
    ) -> Result<(rate_limit::Model, u32), ServiceError> {
        let mut bucket = lock_row(transaction, &self.subject("login", &client.network()), now).await?;
        let name = self.subject("name", name);
        let cost = if bucket.last_name.as_ref() == Some(&name) { 1 } else { NEW_NAME_COST };
        bucket.last_name = Some(name);
        Ok((bucket, cost))
    }

    /// Takes the cost of an attempt from the client's bucket, and counts a failure of the user or the known network.
    async fn charge(
        &self,
        transaction: &Transaction,
        mut bucket: rate_limit::Model,
        cost: u32,
        client: &Client,
        name: &str,
        now: Timestamp,
    ) -> Result<CountedAttempt, ServiceError> {
        let settings = &self.settings;
        let network = self.network_of(name, client);
        let (scope, failures_subject) = if is_known(transaction, &network, settings, now).await? {
            (Scope::KnownNetwork, self.subject("known_network", &network))
        } else {
            (Scope::User, self.user_subject(name))
        };

        let full_at = match take(bucket.until, settings.logins, cost, now) {
            Err(ServiceError::RateLimited { retry_after }) => {
                let backoff = self.remaining_backoff(transaction, &failures_subject, scope, now).await?;
                return Err(ServiceError::RateLimited { retry_after: retry_after.max(backoff) });
            }
            taken => taken?,
        };
        let mut row = lock_row(transaction, &failures_subject, now).await?;
        let previous_until = row.until;
        count_failure(&mut row, settings, scope, now)?;

        let attempt = CountedAttempt {
            bucket_subject: bucket.subject.clone(),
            cost,
            failures_subject,
            failures: row.failures,
            previous_until,
            locks_out: scope == Scope::User && row.failures == i64::from(settings.lockout_threshold),
            network,
        };
        bucket.until = full_at;
        bucket.expires_at = full_at;
        store_row(transaction, bucket).await?;
        store_row(transaction, row).await?;
        Ok(attempt)
    }

    /// Returns how much of the backoff or lockout of a row is left.
    async fn remaining_backoff(
        &self,
        transaction: &Transaction,
        failures_subject: &str,
        scope: Scope,
        now: Timestamp,
    ) -> Result<Duration, ServiceError> {
        let row = rate_limit::Entity::by_subject(failures_subject).one(transaction).await;
        let row = row.context("reading a rate limit")?;
        Ok(row.map_or(Duration::ZERO, |row| remaining(&row, &self.settings, scope, now)))
    }

    /// Deletes the failures after a successful attempt, and puts back all its tokens but one.
    ///
    /// Call it before [`Self::remember_network`], as the lock order of [`crate::domain`] requires.
    pub async fn reset_failures(
        &self,
        transaction: &Transaction,
        attempt: &CountedAttempt,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        self.put_back_tokens(transaction, attempt, 1, now).await?;
        let delete = rate_limit::Entity::delete_by_id(&attempt.failures_subject);
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

    /// Withdraws an attempt whose password was not verified.
    ///
    /// `now` is the current time, not that of the attempt. If later attempts were counted, their backoff begins at
    /// `now`, unless it already ends earlier.
    pub async fn withdraw_attempt(
        &self,
        db: &Pool,
        attempt: &CountedAttempt,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        write(db, "withdrawing a login attempt", async |transaction: &Transaction| {
            self.put_back_tokens(transaction, attempt, 0, now).await?;

            let mut row = lock_row(transaction, &attempt.failures_subject, now).await?;
            let is_last = row.failures == attempt.failures;
            row.failures = row.failures.saturating_sub(1).max(0);
            // Without later attempts, the earlier backoff applies again. The client has already waited for its end.
            let until = if is_last { attempt.previous_until } else { now + backoff(row.failures, &self.settings) };
            row.until = row.until.min(until);
            store_row(transaction, row).await
        })
        .await
    }

    /// Ends a lockout: deletes the failures of a user from unknown networks, in the transaction that records it.
    pub async fn unlock(&self, transaction: &Transaction, name: &str) -> Result<(), ServiceError> {
        let delete = rate_limit::Entity::delete_by_id(self.user_subject(name));
        delete.exec(transaction).await.context("ending a lockout").map(drop)
    }

    /// Returns the subject of the row that counts failures from unknown networks.
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
        let mut bucket = lock_row(transaction, &attempt.bucket_subject, now).await?;
        bucket.until = put_back(bucket.until, rate, taken.saturating_sub(kept));
        bucket.expires_at = bucket.until;
        store_row(transaction, bucket).await
    }
}
