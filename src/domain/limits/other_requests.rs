//! Limits on requests other than login attempts.

use super::{
    limiter::Limits,
    row::{lock_row, store_row},
    settings::Rate,
    token_bucket::{put_back, take},
};
use crate::{
    clock::Timestamp,
    domain::request::Client,
    error::ServiceError,
    metrics::RateLimit,
    store::{Context as _, Pool, Transaction, write},
};

impl Limits {
    /// Counts a registration of a client.
    ///
    /// # Errors
    /// Returns [`ServiceError::RateLimited`] if the limit is exceeded, and the error of the database if it fails.
    pub async fn count_registration(&self, db: &Pool, client: &Client, now: Timestamp) -> Result<(), ServiceError> {
        let counted = self.count_request(db, client, "register", self.settings.registrations, now).await;
        self.count_rejection(RateLimit::Registration, counted)
    }

    /// Withdraws a registration that was counted although its password could not be hashed.
    ///
    /// # Errors
    /// Returns the error of the database if it fails.
    pub async fn withdraw_registration(&self, db: &Pool, client: &Client, now: Timestamp) -> Result<(), ServiceError> {
        let subject = self.subject("register", &client.network());

        write(db, "withdrawing a registration", async |transaction: &Transaction| {
            let mut bucket = lock_row(transaction, &subject, now).await?;
            bucket.until = put_back(bucket.until, self.settings.registrations, 1);
            bucket.expires_at = bucket.until;
            store_row(transaction, bucket).await
        })
        .await
    }

    /// Counts a rejected refresh token of a client.
    ///
    /// # Errors
    /// Returns [`ServiceError::RateLimited`] if the limit is exceeded, and the error of the database if it fails.
    pub async fn count_rejected_refresh(&self, db: &Pool, client: &Client, now: Timestamp) -> Result<(), ServiceError> {
        let counted = self.count_request(db, client, "refresh", self.settings.rejected_refreshes, now).await;
        self.count_rejection(RateLimit::RejectedRefresh, counted)
    }

    /// Counts a refresh of a session whose token bucket is full again at `full_at`. Returns the new time at which it is
    /// full again.
    ///
    /// # Errors
    /// Returns [`ServiceError::RateLimited`] if the limit is exceeded.
    pub fn count_refresh(&self, full_at: Timestamp, now: Timestamp) -> Result<Timestamp, ServiceError> {
        let taken = take(full_at, self.settings.refreshes, 1, now);
        self.count_rejection(RateLimit::Refresh, taken)
    }

    async fn count_request(
        &self,
        db: &Pool,
        client: &Client,
        purpose: &'static str,
        rate: Rate,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let context = "counting a request";
        let subject = self.subject(purpose, &client.network());
        let _permit = db.acquire_counting_permit().await.context(context)?;

        write(db, context, async |transaction: &Transaction| {
            let mut bucket = lock_row(transaction, &subject, now).await?;
            bucket.until = take(bucket.until, rate, 1, now)?;
            bucket.expires_at = bucket.until;
            store_row(transaction, bucket).await
        })
        .await
    }
}
