//! Limits on login attempts. An attempt counts as a failure until it succeeds.

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

/// How many tokens an attempt costs if its username differs from the client's previous one.
const NEW_NAME_COST: u32 = 3;

/// A login attempt that was allowed and counted.
#[derive(Debug)]
pub struct CountedAttempt {
    /// The subject of the client's token bucket.
    bucket_subject: String,
    /// How many tokens the attempt took from the bucket.
    cost: u32,
    /// The subject of the row that counts the failures of the user or the known network.
    failures_subject: String,
    /// The count of this row, including this attempt.
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
    /// Counts a login attempt with a username.
    ///
    /// # Errors
    /// Returns [`ServiceError::RateLimited`] if the client has no tokens left, or a backoff or lockout applies. Then
    /// nothing is counted.
    pub async fn count_login_attempt(
        &self,
        db: &Pool,
        client: &Client,
        name: &str,
        now: Timestamp,
    ) -> Result<CountedAttempt, ServiceError> {
        let network = self.network_of(name, client);
        let counted = write(db, "counting a login attempt", async |transaction: &Transaction| {
            // The lock order: the client's bucket, then the failures.
            let (mut bucket, cost) = self.lock_bucket(transaction, client, name, now).await?;
            let (scope, failures_subject) = self.find_failures(transaction, name, &network, now).await?;
            self.take_tokens(transaction, &mut bucket, cost, scope, &failures_subject, now).await?;

            let mut failures = lock_row(transaction, &failures_subject, now).await?;
            let previous_until = failures.until;
            count_failure(&mut failures, &self.settings, scope, now)?;

            let attempt = CountedAttempt {
                bucket_subject: bucket.subject.clone(),
                cost,
                failures_subject,
                failures: failures.failures,
                previous_until,
                locks_out: scope == Scope::User && failures.failures == i64::from(self.settings.lockout_threshold),
                network: network.clone(),
            };
            store_row(transaction, bucket).await?;
            store_row(transaction, failures).await?;
            Ok(attempt)
        })
        .await;
        self.count_rejection(RateLimit::Login, counted)
    }

    /// Locks the token bucket of a client. Returns it together with the cost of the attempt, without taking the cost.
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

    /// Returns the subject of the row that counts the failures of an attempt: the known network or, without one, the
    /// user.
    async fn find_failures(
        &self,
        transaction: &Transaction,
        name: &str,
        network: &str,
        now: Timestamp,
    ) -> Result<(Scope, String), ServiceError> {
        Ok(if is_known(transaction, network, &self.settings, now).await? {
            (Scope::KnownNetwork, self.subject("known_network", network))
        } else {
            (Scope::User, self.user_subject(name))
        })
    }

    /// Takes the cost of an attempt from the client's bucket.
    ///
    /// # Errors
    /// Returns [`ServiceError::RateLimited`] if the bucket does not hold enough tokens. The time to wait also covers
    /// the backoff of the user, so that a client that waits for it is not rejected again.
    async fn take_tokens(
        &self,
        transaction: &Transaction,
        bucket: &mut rate_limit::Model,
        cost: u32,
        scope: Scope,
        failures_subject: &str,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        match take(bucket.until, self.settings.logins, cost, now) {
            Err(ServiceError::RateLimited { retry_after }) => {
                let backoff = self.remaining_backoff(transaction, failures_subject, scope, now).await?;
                Err(ServiceError::RateLimited { retry_after: retry_after.max(backoff) })
            }
            taken => {
                bucket.until = taken?;
                bucket.expires_at = bucket.until;
                Ok(())
            }
        }
    }

    /// Returns the remaining backoff or lockout of a row.
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

    /// Deletes the failures after a successful attempt, in the transaction of its success, and puts back all its tokens
    /// except one.
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
    /// `now` is the current time, not the time of the attempt. If later attempts were counted, their backoff begins at
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
            // Without later attempts, the earlier backoff applies again. It has already ended.
            let until = if is_last { attempt.previous_until } else { now + backoff(row.failures, &self.settings) };
            row.until = row.until.min(until);
            store_row(transaction, row).await
        })
        .await
    }

    /// Ends a lockout: deletes the failures of a user from unknown networks, in the transaction that records the event.
    pub async fn unlock(&self, transaction: &Transaction, name: &str) -> Result<(), ServiceError> {
        let delete = rate_limit::Entity::delete_by_id(self.user_subject(name));
        delete.exec(transaction).await.context("ending a lockout").map(drop)
    }

    /// Returns the subject of the row that counts failures from unknown networks.
    fn user_subject(&self, name: &str) -> String {
        self.subject("user", name)
    }

    /// Puts back the tokens that an attempt took from the client's token bucket, except `kept` of them.
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
